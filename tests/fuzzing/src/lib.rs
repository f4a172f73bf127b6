//! Every decoder and parser that meets bytes of strangers, as a function of bytes. Each must answer; what it accepts must
//! hold what the decoder promises. `tests/fuzz` runs them under libFuzzer, and `tests/replay.rs` repeats what that found.

mod target;

pub use target::{TARGETS, Target};
