//! The recent entries of the desk. They are stored separately because the desk page lists its day even when the server
//! has acknowledged the observations, also after a restart.

use chrono::TimeDelta;
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition};
use yomitori_observation::Sighting;
use yomitori_proto::id::Seq;

use super::error::SpoolError;
use super::record::decoded;

/// By number, as in the observations.
pub(super) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

/// Covers a whole day from any time of day.
const KEPT_FOR: TimeDelta = TimeDelta::hours(36);
/// More than a desk enters in a day.
const AT_MOST: u64 = 500;

/// Adds an entry and removes old ones.
pub(super) fn remember(
    table: &mut Table<'_, u64, &'static [u8]>,
    seq: Seq,
    value: &[u8],
    sighting: &Sighting,
) -> Result<(), SpoolError> {
    table.insert(seq.0, value)?;
    loop {
        let Some((first, is_old)) = table.first()?.map(|(first, value)| {
            // An unreadable entry is removed as well.
            let is_old =
                decoded(value.value()).map_or(true, |entry| sighting.observed_at - entry.observed_at > KEPT_FOR);
            (first.value(), is_old)
        }) else {
            return Ok(());
        };
        if !is_old && table.len()? <= AT_MOST {
            return Ok(());
        }
        table.remove(first)?;
    }
}
