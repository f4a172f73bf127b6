//! What the desk entered of late, kept beside the observations: those go once the server has them, and the desk page
//! lists its day all the same, also after a restart.

use chrono::TimeDelta;
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition};
use yomitori_observation::Sighting;
use yomitori_proto::id::Seq;

use super::error::SpoolError;
use super::record::decoded;

/// By number, as in the observations.
pub(super) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

/// A day, wherever it began.
const KEPT_FOR: TimeDelta = TimeDelta::hours(36);
/// More than any desk enters in a day.
const AT_MOST: u64 = 500;

/// Remembers an entry, and forgets what is of no use any more.
pub(super) fn remember(
    table: &mut Table<'_, u64, &'static [u8]>,
    seq: Seq,
    value: &[u8],
    sighting: &Sighting,
) -> Result<(), SpoolError> {
    table.insert(seq.0, value)?;
    loop {
        let Some((first, is_old)) = table.first()?.map(|(first, value)| {
            // What can't be read is of no use either.
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
