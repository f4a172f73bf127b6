//! The oracle: everything that a simulated terminal was told is kept, written down where nothing of the product runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};

/// One observation that was kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    pub facility: FacilityId,
    pub terminal: TerminalId,
    pub life: Life,
    pub seq: Seq,
    /// As in `yomitori_proto::event::Event::kind`.
    pub kind: String,
    pub occurred_at: DateTime<Utc>,
}

/// Where all clinics of a fleet write down what they were told; it grows for as long as the fleet lives.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Vec<Told>>>);

impl Ledger {
    pub(super) fn write(&self, told: impl IntoIterator<Item = Told>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
    }

    /// Everything so far, by terminal and number.
    #[must_use]
    pub fn all(&self) -> Vec<Told> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_by_key(|told| (told.terminal, told.life, told.seq));
        all
    }

    /// Writes it to `file` as lines of JSON.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let mut text = Vec::new();
        for told in self.all() {
            serde_json::to_writer(&mut text, &told).context("write the oracle")?;
            text.push(b'\n');
        }
        std::fs::write(file, text).with_context(|| format!("write `{}`", file.display()))
    }
}
