//! A consistent snapshot of the store, for a comparison with the log while the projector continues.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio_postgres::{Client, Row};
use yomitori_proto::id::{FacilityId, Life, TerminalId};

use super::fact::{self, StoredFact};
use super::received::{self, LifeGap, ReceivedLife};
use super::{QueryContext as _, Store, StoreError};
use crate::log::Position;

/// The content of the store when this was opened. Dropping the value ends the snapshot.
pub struct DbSnapshot {
    client: Client,
}

/// A facility as stored in its row.
pub struct FacilityState {
    pub facility: FacilityId,
    /// The hash of the policy by which it was folded.
    pub policy_hash: i64,
    pub state: Value,
}

impl DbSnapshot {
    /// Begins a snapshot of this moment, on a separate connection.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let context = "begin a snapshot of the store";
        let (client, connection) = store.connect(|_| {}).await.context(context)?;
        tokio::spawn(connection);
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.context(context)?;
        Ok(Self { client })
    }

    async fn rows(
        &self,
        query: &str,
        given: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.client.query(query, given).await.context("read a snapshot of the store")
    }

    /// The next offset of every partition.
    pub async fn places(&self) -> Result<Vec<Position>, StoreError> {
        let rows = self.rows("SELECT partition, next_offset FROM projection.progress ORDER BY partition", &[]).await?;
        Ok(rows.iter().map(|row| Position { partition: row.get(0), offset: row.get(1) }).collect())
    }

    /// The facts of the records from `from` to `to` (exclusive), in order.
    ///
    /// # Errors
    /// If a stored document cannot be decoded.
    pub async fn facts(&self, from: Position, to: i64) -> Result<Vec<StoredFact>, StoreError> {
        let query = format!(
            "SELECT {} FROM projection.fact WHERE partition = $1 AND log_offset >= $2 AND log_offset < $3 \
             ORDER BY log_offset, index_in_record",
            fact::COLUMNS
        );
        self.rows(&query, &[&from.partition, &from.offset, &to]).await?.iter().map(fact::stored_fact).collect()
    }

    /// Up to `limit` facilities of `partition` after `after`, ordered by identifier.
    ///
    /// # Errors
    /// If a stored document cannot be decoded.
    pub async fn facilities(
        &self,
        partition: i32,
        after: Option<FacilityId>,
        limit: i64,
    ) -> Result<Vec<FacilityState>, StoreError> {
        let query = "SELECT facility_id, policy_hash, state FROM projection.facility_row \
                     WHERE partition = $1 AND ($2::uuid IS NULL OR facility_id > $2) ORDER BY facility_id LIMIT $3";
        let rows = self.rows(query, &[&partition, &after.map(|id| id.0), &limit]).await?;
        let held = |row: &Row| {
            let state = serde_json::from_str(row.get(2));
            let state = state.map_err(|source| StoreError::Broken { what: "a facility's state", source })?;
            Ok(FacilityState { facility: FacilityId(row.get(0)), policy_hash: row.get(1), state })
        };
        rows.iter().map(held).collect()
    }

    /// What has arrived of these lives.
    pub async fn lives(
        &self,
        lives: &[(TerminalId, Life)],
    ) -> Result<BTreeMap<(TerminalId, Life), ReceivedLife>, StoreError> {
        received::lives(&self.client, lives).await
    }

    /// What is missing in these lives, in no order.
    ///
    /// # Errors
    /// If a stored document cannot be decoded.
    pub async fn gaps(&self, lives: &[(TerminalId, Life)]) -> Result<Vec<LifeGap>, StoreError> {
        received::gaps(&self.client, lives).await
    }

    /// The positions of the parked records of `partition`.
    pub async fn parked(&self, partition: i32) -> Result<BTreeSet<i64>, StoreError> {
        let rows = self.rows("SELECT log_offset FROM projection.parked WHERE partition = $1", &[&partition]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
