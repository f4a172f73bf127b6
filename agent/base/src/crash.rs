//! Named points in the work of a program, between its irrevocable steps. The crash tests kill the program there.
//!
//! A released program sets no handler, so that its points do nothing; no setting and no environment variable does.

use std::sync::OnceLock;

static AT_POINT: OnceLock<fn(&str)> = OnceLock::new();

/// Calls `handler` with the name of each point that is passed from now on. Only the first handler of a process counts.
pub fn on_point(handler: fn(&str)) {
    AT_POINT.get_or_init(|| handler);
}

/// A point of this name is passed.
pub fn point(name: &str) {
    if let Some(handler) = AT_POINT.get() {
        handler(name);
    }
}
