//! Facilities whose log could not be followed: the record that failed, and all later ones of the same facility behind it,
//! so that nothing is lost and no other facility waits.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use yomitori_proto::id::FacilityId;

use super::{Doing as _, Store, StoreError};
use crate::log::Position;

/// A record set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parked {
    pub position: Position,
    pub facility: FacilityId,
    pub reason: String,
    pub record: Vec<u8>,
}

/// The facilities that are parked.
///
/// # Errors
/// Where the database is away.
pub async fn facilities(store: &Store) -> Result<BTreeSet<FacilityId>, StoreError> {
    let query = "SELECT DISTINCT facility_id FROM parked";
    let rows = store.client().await?.query(query, &[]).await.doing("read the parked facilities")?;
    Ok(rows.into_iter().map(|row| FacilityId(row.get(0))).collect())
}

/// Sets records aside.
///
/// # Errors
/// Where the database is away.
pub async fn park(transaction: &Transaction<'_>, parked: &[Parked], now: DateTime<Utc>) -> Result<(), StoreError> {
    let insert = "INSERT INTO parked (partition, log_offset, facility_id, reason, record, parked_at) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    for Parked { position, facility, reason, record } in parked {
        transaction
            .execute(insert, &[&position.partition, &position.offset, &facility.0, reason, record, &now])
            .await
            .doing("park a record")?;
    }
    Ok(())
}
