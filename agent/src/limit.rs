//! What the server lets this terminal collect. It can only lower what the terminal's own configuration allows: whoever
//! speaks for the server, and whatever they say, nothing more is looked at than the clinic has agreed to.
//!
//! * What was understood last holds until something else is understood, over restarts and while the server is away.
//! * Where the file that says so can't be read, the least is collected until the server says it again.
//! * What fell into a time in which names were not collected is not told afterwards either.

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
/// So many times without names are remembered; of more, the two oldest become one. What lies between them was told long ago.
const MAX_PAUSES: usize = 8;
/// A file's time is coarser than a clock, by so much at most: what seems that much older than the dark belongs to it.
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
    /// The settings that were reported since the start of the agent.
    reported: Option<u64>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct StoredLimit {
    /// Of the settings that were understood last.
    settings_hash: u64,
    most: CollectionLevel,
    /// When names were not collected: from, and to where that is over.
    paused: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

impl StoredLimit {
    const UNLIMITED: Self = Self { settings_hash: 0, most: CollectionLevel::Headers, paused: Vec::new() };

    /// The same with other settings from `now` on.
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
            // A word of a newer version is no level.
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

    /// Whether names were not to be collected when a file got the time `at`.
    #[must_use]
    pub fn collection_was_paused_at(&self, at: DateTime<Utc>) -> bool {
        let now = self.now();
        now.stored.paused.iter().any(|(from, to)| *from - FILE_TIME_GRAIN <= at && to.is_none_or(|to| at < to))
    }

    /// Obeys what the server has sent, as far as it is understood; gives what is to be reported, once since the start of
    /// the agent.
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

    /// What [`Limit::apply`] gave could not be told; it is given again the next time.
    pub fn report_again(&self) {
        self.now().reported = None;
    }

    fn store(&self, stored: &StoredLimit) -> io::Result<()> {
        file::replace(&self.path, &serde_json::to_vec(stored)?)
    }

    fn now(&self) -> MutexGuard<'_, LimitState> {
        // A writer that panicked has left a whole value.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
