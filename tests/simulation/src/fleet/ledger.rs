//! A ledger of every observation that a simulated terminal has kept, recorded outside the product.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};

/// One observation that was kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    pub facility: FacilityId,
    pub terminal: TerminalId,
    pub life: Life,
    pub seq: Seq,
    /// As in `yomitori_proto::event::Event::kind`.
    pub kind: String,
    pub occurred_at: DateTime<Utc>,
    /// The server has acknowledged it. Then the store has it exactly once, otherwise at most once.
    pub acknowledged: bool,
}

/// The ledger of all clinics of a fleet; it grows as long as the fleet runs.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    entries: Vec<LedgerEntry>,
    acknowledged: BTreeMap<Life, Seq>,
}

impl Ledger {
    pub(super) fn write(&self, entries: impl IntoIterator<Item = LedgerEntry>) {
        self.book().entries.extend(entries);
    }

    /// Records that the server has acknowledged this life up to `through`.
    pub(super) fn acknowledge(&self, life: Life, through: Seq) {
        self.book().acknowledged.insert(life, through);
    }

    /// Everything so far, by terminal and number. The acknowledgements are complete once the fleet has ended.
    #[must_use]
    pub fn all(&self) -> Vec<LedgerEntry> {
        let book = self.book();
        let mut all = book.entries.clone();
        for entry in &mut all {
            entry.acknowledged = book.acknowledged.get(&entry.life).is_some_and(|through| entry.seq <= *through);
        }
        all.sort_by_key(|entry| (entry.terminal, entry.life, entry.seq));
        all
    }

    /// Writes the ledger to `file` as lines of JSON.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let mut text = Vec::new();
        for entry in self.all() {
            serde_json::to_writer(&mut text, &entry).context("write the oracle")?;
            text.push(b'\n');
        }
        std::fs::write(file, text).with_context(|| format!("write `{}`", file.display()))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn acknowledged_observations_are_distinguished_from_kept_ones() {
        let (ledger, life) = (Ledger::default(), Life(Uuid::from_u128(3)));
        ledger.write([2, 1, 3].map(|seq| LedgerEntry {
            facility: FacilityId(Uuid::from_u128(1)),
            terminal: TerminalId(Uuid::from_u128(2)),
            life,
            seq: Seq(seq),
            kind: "agent_stopped".to_owned(),
            occurred_at: DateTime::UNIX_EPOCH,
            acknowledged: false,
        }));
        ledger.acknowledge(life, Seq(2));
        let all: Vec<_> = ledger.all().iter().map(|entry| (entry.seq.0, entry.acknowledged)).collect();
        assert_eq!(all, [(1, true), (2, true), (3, false)]);
    }
}
