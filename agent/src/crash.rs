//! Support for the crash matrix: points at which the agent can be killed, and a journal of what it stored.
//!
//! Without the feature `crash-points`, and therefore in every released binary, these functions do nothing.

pub use yomitori_base::crash::point;
use yomitori_proto::id::{Life, Seq};

/// With `YOMITORI_KEPT_JOURNAL=path`, lists the observations that the oracle expects to arrive.
#[cfg(not(feature = "crash-points"))]
pub const fn journal_stored(_life: Life, _after: Seq, _through: Seq) {}

/// With `YOMITORI_KEPT_JOURNAL=path`, lists the observations that the oracle expects to arrive.
#[cfg(feature = "crash-points")]
pub fn journal_stored(life: Life, after: Seq, through: Seq) {
    use std::io::Write as _;
    let Some(path) = std::env::var_os("YOMITORI_KEPT_JOURNAL") else { return };
    let lines: String = (after.0 + 1..=through.0).map(|seq| format!("{life} {seq}\n")).collect();
    let journal = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let written = journal.and_then(|mut journal| journal.write_all(lines.as_bytes()));
    written.expect("the journal of a crash test can be written");
}
