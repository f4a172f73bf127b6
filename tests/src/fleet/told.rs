//! The oracle: everything that a simulated terminal was told is kept, written down where nothing of the product runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// The server said that it has it: then it has it exactly once, else at most once.
    pub acknowledged: bool,
}

/// Where all clinics of a fleet write down what they were told; it grows for as long as the fleet lives.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    told: Vec<Told>,
    acknowledged: BTreeMap<Life, Seq>,
}

impl Ledger {
    pub(super) fn write(&self, told: impl IntoIterator<Item = Told>) {
        self.book().told.extend(told);
    }

    /// Of this life, the server has acknowledged so much.
    pub(super) fn acknowledge(&self, life: Life, through: Seq) {
        self.book().acknowledged.insert(life, through);
    }

    /// Everything so far, by terminal and number. What was acknowledged is known once the fleet has ended.
    #[must_use]
    pub fn all(&self) -> Vec<Told> {
        let book = self.book();
        let mut all = book.told.clone();
        for told in &mut all {
            told.acknowledged = book.acknowledged.get(&told.life).is_some_and(|through| told.seq <= *through);
        }
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

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_was_acknowledged_is_told_from_what_was_only_kept() {
        let (ledger, life) = (Ledger::default(), Life(Uuid::from_u128(3)));
        ledger.write([2, 1, 3].map(|seq| Told {
            facility: FacilityId(Uuid::from_u128(1)),
            terminal: TerminalId(Uuid::from_u128(2)),
            life,
            seq: Seq(seq),
            kind: "agent_stopped".to_owned(),
            occurred_at: DateTime::UNIX_EPOCH,
            acknowledged: false,
        }));
        ledger.acknowledge(life, Seq(2));
        let all: Vec<_> = ledger.all().iter().map(|told| (told.seq.0, told.acknowledged)).collect();
        assert_eq!(all, [(1, true), (2, true), (3, false)]);
    }
}
