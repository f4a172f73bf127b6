//! libFuzzer on the target that `YOMITORI_FUZZ` names. `tests/fuzz` starts it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use yomitori_fuzzing::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("YOMITORI_FUZZ").expect("YOMITORI_FUZZ names a target");
    *TARGETS.iter().find(|target| target.name == name).expect("a target of tests/fuzz")
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
