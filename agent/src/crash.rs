//! Support for the crash tests: points at which the agent can be killed, and a journal of what it stored.
//!
//! A released agent sets no handler, so that these functions do nothing.

use std::sync::OnceLock;

pub use yomitori_base::crash::point;
use yomitori_proto::id::{Life, Seq};

static STORED: OnceLock<fn(Life, Seq, Seq)> = OnceLock::new();

/// Calls `handler` after each fsync, with the observations that the oracle expects to arrive: those after the first number
/// and up to the last. Only the first handler of a process counts.
pub fn on_stored(handler: fn(Life, Seq, Seq)) {
    STORED.get_or_init(|| handler);
}

/// The observations of `life` after `after` and through `through` are in the spool.
pub(crate) fn journal_stored(life: Life, after: Seq, through: Seq) {
    if let Some(handler) = STORED.get() {
        handler(life, after, through);
    }
}
