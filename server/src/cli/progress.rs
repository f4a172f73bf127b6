//! Progress of long work: a bar with an estimate on a terminal, an occasional line elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::note;

/// The time between two lines if the output is not a terminal.
const EVERY: Duration = Duration::from_secs(5);

/// The progress of one piece of work.
pub(super) struct ProgressMeter {
    bar: ProgressBar,
    /// What is counted, in both languages.
    unit: &'static str,
    is_watched: bool,
    began: Instant,
    noted_at: Instant,
}

impl ProgressMeter {
    /// Counts records of the log.
    pub(super) fn of_records() -> Self {
        Self::new("件の記録 / records")
    }

    pub(super) fn new(unit: &'static str) -> Self {
        let is_watched = std::io::stderr().is_terminal();
        let target = if is_watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style =
            ProgressStyle::with_template("[{bar:30}] {percent:>3} % {pos}/{len} {prefix} あと / left {eta} {msg}");
        let bar = ProgressBar::with_draw_target(Some(0), target)
            .with_style(style.expect("the template is a constant").progress_chars("##."))
            .with_prefix(unit);
        let now = Instant::now();
        Self { bar, unit, is_watched, began: now, noted_at: now }
    }

    /// Reports that `done` of `of` are done; `remark` is appended.
    pub(super) fn set(&mut self, done: u64, of: u64, remark: &'static str) {
        self.bar.set_length(of);
        self.bar.set_message(remark);
        self.bar.set_position(done);
        let is_new = self.noted_at.elapsed() >= EVERY || (done == of && self.began.elapsed() >= EVERY);
        if !self.is_watched && of > 0 && is_new {
            self.noted_at = Instant::now();
            note(format!("{done}/{of} {} {remark}", self.unit).trim_end());
        }
    }

    /// Ends the work and removes the bar.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
