//! Named points at which the crash matrix ends the process as a power cut would: no destructor runs.
//!
//! Without the feature `crash-points`, and so in every released binary, this is empty code.

use yomitori_proto::id::{Life, Seq};

/// With `YOMITORI_CRASH=name:n`, the n-th passage of the point `name` is the last thing that this process does.
#[cfg(not(feature = "crash-points"))]
pub const fn point(_name: &str) {}

/// With `YOMITORI_KEPT_JOURNAL=path`, writes down what the oracle may expect to arrive.
#[cfg(not(feature = "crash-points"))]
pub const fn kept(_life: Life, _after: Seq, _through: Seq) {}

/// With `YOMITORI_CRASH=name:n`, the n-th passage of the point `name` is the last thing that this process does.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("YOMITORI_CRASH") else { return };
    let Some((at, count)) = wanted.split_once(':') else { return };
    if at != name || Some(PASSED.fetch_add(1, Ordering::SeqCst) + 1) != count.parse().ok() {
        return;
    }
    let pid = std::process::id().to_string();
    let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
    panic!("kill -9 left the process alive: {killed:?}");
}

/// With `YOMITORI_KEPT_JOURNAL=path`, writes down what the oracle may expect to arrive.
#[cfg(feature = "crash-points")]
pub fn kept(life: Life, after: Seq, through: Seq) {
    use std::io::Write as _;
    let Some(path) = std::env::var_os("YOMITORI_KEPT_JOURNAL") else { return };
    let lines: String = (after.0 + 1..=through.0).map(|seq| format!("{life} {seq}\n")).collect();
    let journal = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let written = journal.and_then(|mut journal| journal.write_all(lines.as_bytes()));
    written.expect("the journal of a crash test can be written");
}
