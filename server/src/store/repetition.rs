//! What a terminal sent before it was enrolled again, for the recognition of repetitions.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};

use super::{QueryContext as _, Store, StoreError};

/// What tells an observation apart from another one with its number: when it occurred, and when it was observed.
pub type ObservationMark = (Seq, DateTime<Utc>, DateTime<Utc>);

/// More than a terminal sends before it waits for an acknowledgement.
const AT_MOST: i64 = 10_000;

/// The observations of `life` from the number `from` on that the facility has from `terminals`.
///
/// # Errors
/// If the database is away.
pub async fn sent_as(
    store: &Store,
    facility: FacilityId,
    terminals: &[TerminalId],
    life: Life,
    from: Seq,
) -> Result<BTreeSet<ObservationMark>, StoreError> {
    let terminals: Vec<Uuid> = terminals.iter().map(|terminal| terminal.0).collect();
    let query = "SELECT seq, occurred_at, observed_at FROM fact \
                 WHERE facility_id = $1 AND terminal_id = ANY($2) AND life = $3 AND seq >= $4 ORDER BY seq LIMIT $5";
    let client = store.client().await?;
    let from = from.0.cast_signed();
    let rows = client.query(query, &[&facility.0, &terminals, &life.0, &from, &AT_MOST]).await;
    let rows = rows.context("read what a terminal sent before")?;
    Ok(rows.into_iter().map(|row| (Seq(row.get::<_, i64>(0).cast_unsigned()), row.get(1), row.get(2))).collect())
}
