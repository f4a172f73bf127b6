//! The size of the spool: the cost of an observation, and what is removed when the budget is exceeded.

use chrono::{DateTime, Utc};
use redb::{ReadableTable, Table};
use yomitori_observation::shed::Worth;
use yomitori_proto::event::{CollectionGap, Event, Observation};
use yomitori_proto::vocabulary::GapSource;

use super::error::SpoolError;
use super::record::decoded;

/// What the file needs for an entry in addition to its value.
const ENTRY: u64 = 32;
/// A full spool is reduced to this percentage at once, so that there are few gaps.
const LEFT: u64 = 95;

/// What was removed: the count and the period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Loss {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) count: u64,
}

impl Loss {
    /// A removed gap is merged into the new gap, so that its loss stays counted.
    pub(super) const fn new(occurred_at: DateTime<Utc>, event: &Event) -> Self {
        match event {
            Event::CollectionGap(CollectionGap { source: GapSource::Spool, from, to, lost }) => {
                let counted = match lost {
                    Some(counted) => *counted,
                    None => 0,
                };
                Self { from: *from, to: *to, count: 1 + counted }
            }
            _ => Self { from: occurred_at, to: occurred_at, count: 1 },
        }
    }

    pub(super) fn add(all: &mut Option<Self>, one: Self) {
        let all = all.get_or_insert(Self { count: 0, ..one });
        all.from = all.from.min(one.from);
        all.to = all.to.max(one.to);
        all.count += one.count;
    }
}

pub(super) const fn cost(value: &[u8]) -> u64 {
    ENTRY + value.len() as u64
}

/// The cost of everything in the table.
pub(super) fn used_bytes(table: &impl ReadableTable<u64, &'static [u8]>) -> Result<u64, SpoolError> {
    let mut bytes = 0;
    for entry in table.iter()? {
        bytes += cost(entry?.1.value());
    }
    Ok(bytes)
}

/// Removes observations if `bytes` exceed `budget`: the least valuable first, and among them the oldest.
pub(super) fn shed(
    table: &mut Table<'_, u64, &'static [u8]>,
    bytes: &mut u64,
    budget: u64,
    lost: &mut Option<Loss>,
) -> Result<(), SpoolError> {
    if *bytes <= budget {
        return Ok(());
    }
    let enough = budget / 100 * LEFT;
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
            let Observation { occurred_at, event, .. } = decoded(entry?.1.value())?;
            Loss::add(lost, Loss::new(occurred_at, &event));
        }
        *bytes = left.get();
    }
    Ok(())
}
