//! Named points at which the crash matrix kills the process. As at a power cut, no destructor runs.
//!
//! Without the feature `crash-points`, and therefore in every released binary, these functions do nothing.

/// With `YOMITORI_CRASH=name:n`, kills this process at the n-th passage of the point `name`.
#[cfg(not(feature = "crash-points"))]
pub const fn point(_name: &str) {}

/// With `YOMITORI_CRASH=name:n`, kills this process at the n-th passage of the point `name`.
///
/// # Panics If the process can't be killed.
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
