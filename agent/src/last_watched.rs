//! The time until which the terminal was watched: that of a file, set every few seconds. An agent that was killed or stopped
//! while its terminal ran finds it at its next start, and reports the time in between as a gap.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::clock;

const FILE: &str = "last-watched";
/// It is not flushed: after a power cut the terminal was off as well.
const SET_EVERY: Duration = Duration::from_secs(10);

/// See the head of this file.
#[derive(Debug)]
pub struct LastWatched(PathBuf);

impl LastWatched {
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self(state_dir.join(FILE))
    }

    /// By the wall clock of the terminal; `None` before the first start.
    #[must_use]
    pub fn read(&self) -> Option<DateTime<Utc>> {
        let at = std::fs::metadata(&self.0).and_then(|file| file.modified()).ok()?;
        Some(yomitori_proto::time::truncate(at.into()))
    }

    /// Sets the time until `closing`, and then once more. On a full disk without the file nothing is set, and no gap will be
    /// reported.
    pub async fn keep(self, closing: CancellationToken) {
        let mut tick = tokio::time::interval(SET_EVERY);
        while closing.run_until_cancelled(tick.tick()).await.is_some() {
            self.set().ok();
        }
        self.set().ok();
    }

    fn set(&self) -> io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.set_modified(clock::now().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_the_last_one_that_was_set() {
        let folder = tempfile::tempdir().unwrap();
        let watched = LastWatched::new(folder.path());
        assert_eq!(watched.read(), None);
        let before = clock::now();
        watched.set().unwrap();
        watched.set().unwrap();
        let read = watched.read().unwrap();
        assert!((before..=clock::now()).contains(&read), "{read}");
    }

    #[test]
    fn a_folder_that_is_missing_or_full_is_no_failure() {
        let watched = LastWatched::new(Path::new("/nonexistent"));
        assert!(watched.set().is_err());
        assert_eq!(watched.read(), None);
    }
}
