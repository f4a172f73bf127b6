//! The spool's size: what an observation costs, and what goes when there is no more room.

use chrono::{DateTime, Utc};
use redb::{ReadableTable, Table};
use yomitori_observation::shed::Worth;
use yomitori_proto::event::{Event, Observation};
use yomitori_proto::vocabulary::GapSource;

use super::{SpoolError, stored};

/// What the file needs for an entry beside its value.
const ENTRY: u64 = 32;
/// A full spool is emptied to so many percent at once, so that gaps are few.
const LEFT: u64 = 95;

/// What went: how much, and of which time.
pub(super) struct Shed {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) count: u64,
}

pub(super) const fn cost(value: &[u8]) -> u64 {
    ENTRY + value.len() as u64
}

/// What the table holds, by the same measure.
pub(super) fn held(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, SpoolError> {
    let mut bytes = 0;
    for entry in table.iter()? {
        bytes += cost(entry?.1.value());
    }
    Ok(bytes)
}

/// Makes room if `bytes` are more than `budget`: the least valuable first, and of them the oldest.
pub(super) fn shed(
    table: &mut Table<'_, u64, &'static [u8]>,
    bytes: &mut u64,
    budget: u64,
) -> Result<Option<Shed>, SpoolError> {
    if *bytes <= budget {
        return Ok(None);
    }
    let enough = budget / 100 * LEFT;
    let mut shed: Option<Shed> = None;
    for worth in Worth::ALL {
        let left = std::cell::Cell::new(*bytes);
        let goes = |_: u64, value: &[u8]| {
            let goes = value.first() == Some(&(worth as u8)) && left.get() > enough;
            if goes {
                left.set(left.get().saturating_sub(cost(value)));
            }
            goes
        };
        for entry in table.extract_if(goes)? {
            let Observation { occurred_at, event, .. } = stored(entry?.1.value())?;
            // A gap that goes lives on in the one that tells of it, so that loss stays counted.
            let (from, to, counted) = match event {
                Event::CollectionGap(gap) if gap.source == GapSource::Spool => (gap.from, gap.to, gap.lost),
                _ => (occurred_at, occurred_at, None),
            };
            let shed = shed.get_or_insert(Shed { from, to, count: 0 });
            shed.from = shed.from.min(from);
            shed.to = shed.to.max(to);
            shed.count += 1 + counted.unwrap_or(0);
        }
        *bytes = left.get();
    }
    Ok(shed)
}
