//! The summary that a test with kills prints at its end: kills by program and place, the oracle's counts, and the
//! duration.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use super::Kills;
use crate::oracle::Verdict;

/// A table of two columns, line by line.
#[derive(Debug)]
pub struct Summary(String);

impl Summary {
    #[must_use]
    pub fn of(test: &str, seed: u64, kills: &Kills) -> Self {
        let mut summary = Self(format!("{test}, SEED={seed}\n"));
        for (what, count) in kills.lines() {
            summary.row(&what, count);
        }
        summary.row("kills in all", kills.total());
        summary
    }

    pub fn row(&mut self, what: &str, value: impl Display) {
        writeln!(self.0, "  {what:<60} {value:>10}").expect("a string grows");
    }

    pub fn verdict(&mut self, verdict: &Verdict) {
        for (what, count) in [
            ("observations kept", verdict.kept),
            ("observations appended", verdict.appended),
            ("of these sent again and dropped", verdict.repeated),
            ("observations folded", verdict.folded),
            ("statements", verdict.statements),
            ("faults", verdict.faults.all().len()),
        ] {
            self.row(what, count);
        }
    }

    pub fn phases(&mut self, phases: &[(&'static str, Duration)], in_all: Duration) {
        for (phase, took) in phases {
            self.row(&format!("seconds: {phase}"), format_args!("{:.1}", took.as_secs_f64()));
        }
        self.row("seconds in all", format_args!("{:.1}", in_all.as_secs_f64()));
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
