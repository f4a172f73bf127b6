//! What the server lets this terminal collect. The server can only lower what the terminal's own configuration allows,
//! so that no message can make the agent look at more than the clinic has agreed to.
//!
//! * The settings that were understood last apply until others are understood, over restarts and while the server can't
//!   be reached.
//! * If the stored limit can't be read, only readers are watched until the server sends its settings again.
//! * Files that appeared while names were not collected are not reported afterwards either.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::SettingsTaken;
use yomitori_proto::uplink::Settings;
use yomitori_proto::vocabulary::{CollectionLevel, SettingsOutcome};

use crate::telemetry;
use yomitori_base::file;

const FILE: &str = "limit.json";
/// The number of pauses that are remembered. Beyond it the two oldest are merged; files from between them were reported
/// long ago.
const MAX_PAUSES: usize = 8;
/// A file's time is coarser than a clock by at most this much. A file that seems this much older than a pause belongs
/// to the pause.
const FILE_TIME_GRAIN: TimeDelta = TimeDelta::seconds(2);

/// See the head of this file.
#[derive(Debug)]
pub struct Limit {
    path: PathBuf,
    configured: CollectionLevel,
    now: Mutex<LimitState>,
}

#[derive(Debug)]
struct LimitState {
    stored: StoredLimit,
    /// The hash of the settings that were reported since the start of the agent.
    reported: Option<u64>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct StoredLimit {
    /// The hash of the settings that were understood last.
    settings_hash: u64,
    most: CollectionLevel,
    /// When names were not collected: the start, and the end where the pause is over.
    paused: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

impl StoredLimit {
    const UNLIMITED: Self = Self { settings_hash: 0, most: CollectionLevel::Headers, paused: Vec::new() };

    /// The limit with other settings from `now` on.
    fn with_settings(&self, settings_hash: u64, most: CollectionLevel, now: DateTime<Utc>) -> Self {
        let mut next = Self { settings_hash, most, paused: self.paused.clone() };
        let is_paused = |level| level < CollectionLevel::Names;
        match (is_paused(self.most), is_paused(most)) {
            (false, true) => next.paused.push((now, None)),
            (true, false) => next.paused.iter_mut().filter(|(_, to)| to.is_none()).for_each(|(_, to)| *to = Some(now)),
            (false, false) | (true, true) => {}
        }
        if next.paused.len() > MAX_PAUSES {
            let (from, _) = next.paused.remove(0);
            next.paused[0].0 = next.paused[0].0.min(from);
        }
        next
    }
}

impl Limit {
    /// The limit that is stored in `state_dir`, for a terminal whose configuration allows `configured`.
    #[must_use]
    pub fn open(state_dir: &Path, configured: CollectionLevel) -> Self {
        let path = state_dir.join(FILE);
        let read = fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice::<StoredLimit>(&bytes)?));
        let stored = match read {
            // A level that only a newer version knows can't be applied.
            Ok(stored) if stored.most != CollectionLevel::Unknown => stored,
            Err(error) if error.kind() == io::ErrorKind::NotFound => StoredLimit::UNLIMITED,
            Ok(_) | Err(_) => {
                telemetry::limit_unreadable();
                StoredLimit {
                    most: CollectionLevel::Readers,
                    paused: vec![(DateTime::UNIX_EPOCH, None)],
                    ..StoredLimit::UNLIMITED
                }
            }
        };
        Self { path, configured, now: Mutex::new(LimitState { stored, reported: None }) }
    }

    /// What may be collected now.
    #[must_use]
    pub fn level(&self) -> CollectionLevel {
        self.configured.min(self.now().stored.most)
    }

    /// Whether the server has lowered what the configuration allows.
    #[must_use]
    pub fn is_lowered(&self) -> bool {
        self.level() < self.configured
    }

    /// Whether names were not to be collected at the time `at` of a file.
    #[must_use]
    pub fn collection_was_paused_at(&self, at: DateTime<Utc>) -> bool {
        let now = self.now();
        now.stored.paused.iter().any(|(from, to)| *from - FILE_TIME_GRAIN <= at && to.is_none_or(|to| at < to))
    }

    /// Applies the settings of the server as far as they are understood. Returns what is to be reported, once since the
    /// start of the agent.
    pub fn apply(&self, settings: Settings, at: DateTime<Utc>) -> Option<SettingsTaken> {
        let mut now = self.now();
        let (next, outcome) = match settings.most() {
            None => (now.stored.clone(), SettingsOutcome::NotUnderstood),
            Some(most) => {
                let next = now.stored.with_settings(settings.hash(), most, at);
                match if next == now.stored { Ok(()) } else { self.store(&next) } {
                    Ok(()) => (next, SettingsOutcome::Applied),
                    Err(error) => {
                        telemetry::limit_not_stored(&error);
                        (next, SettingsOutcome::NotKept)
                    }
                }
            }
        };
        now.stored = next;
        let collection = self.configured.min(now.stored.most);
        if now.reported.replace(settings.hash()) == Some(settings.hash()) {
            return None;
        }
        telemetry::settings_applied(outcome, collection);
        Some(SettingsTaken { settings_hash: settings.hash(), outcome, collection })
    }

    /// Makes [`Limit::apply`] return its report again, because the last one could not be sent.
    pub fn report_again(&self) {
        self.now().reported = None;
    }

    fn store(&self, stored: &StoredLimit) -> io::Result<()> {
        file::replace(&self.path, &serde_json::to_vec(stored)?)
    }

    fn now(&self) -> MutexGuard<'_, LimitState> {
        // Each change is one step, so a writer that panicked left a consistent value.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
