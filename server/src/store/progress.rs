//! How far the log has been folded, per partition. Whoever moves it must name the place where it stood: a projector that
//! lost its partition to another one is told so by the database, not by a clock.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::{Doing as _, Store, StoreError};
use crate::log::Position;

/// The place of one partition up to which the store is true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub next: Position,
    /// When a record was last folded; `None` where none ever was.
    pub folded_at: Option<DateTime<Utc>>,
}

/// Every partition's place; partitions that were never folded are missing.
///
/// # Errors
/// Where the database is away.
pub async fn all(store: &Store) -> Result<Vec<Progress>, StoreError> {
    let query = "SELECT partition, next_offset, folded_at FROM projection.progress ORDER BY partition";
    let rows = store.client().await?.query(query, &[]).await.doing("read how far the log is folded")?;
    let progress = |row: tokio_postgres::Row| Progress {
        next: Position { partition: row.get(0), offset: row.get(1) },
        folded_at: row.get(2),
    };
    Ok(rows.into_iter().map(progress).collect())
}

/// The place of `partition`, beginning at 0 where it was never folded.
///
/// # Errors
/// Where the database is away.
pub async fn start(store: &Store, partition: i32) -> Result<Position, StoreError> {
    let insert = "INSERT INTO projection.progress (partition, next_offset) VALUES ($1, 0) ON CONFLICT DO NOTHING";
    let client = store.client().await?;
    client.execute(insert, &[&partition]).await.doing("begin a partition")?;
    let query = "SELECT next_offset FROM projection.progress WHERE partition = $1";
    let row = client.query_one(query, &[&partition]).await.doing("read a partition's place")?;
    Ok(Position { partition, offset: row.get(0) })
}

/// Moves a partition from `expected` to `next`. `false` where it does not stand there: somebody else owns it.
///
/// # Errors
/// Where the database is away.
pub async fn advance(
    transaction: &Transaction<'_>,
    expected: Position,
    next: i64,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let update = "UPDATE projection.progress SET next_offset = $3, folded_at = $4 \
                  WHERE partition = $1 AND next_offset = $2";
    let moved = transaction
        .execute(update, &[&expected.partition, &expected.offset, &next, &now])
        .await
        .doing("move a partition's place")?;
    Ok(moved == 1)
}

/// Whether a partition stands at `expected`; it stays there until the transaction ends.
///
/// # Errors
/// Where the database is away.
pub async fn stands(transaction: &Transaction<'_>, expected: Position) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM projection.progress WHERE partition = $1 AND next_offset = $2 FOR SHARE";
    let found = transaction.query_opt(query, &[&expected.partition, &expected.offset]).await;
    Ok(found.doing("look at a partition's place")?.is_some())
}

/// Whether the record at `position` has been folded.
///
/// # Errors
/// Where the database is away.
pub async fn reached(store: &Store, position: Position) -> Result<bool, StoreError> {
    let query = "SELECT coalesce((SELECT next_offset > $2 FROM projection.progress WHERE partition = $1), false)";
    let client = store.client().await?;
    let row = client.query_one(query, &[&position.partition, &position.offset]).await.doing("ask for a place")?;
    Ok(row.get(0))
}

/// Notes where partitions end, as the projector just heard: so that "nothing new" differs from "nobody looked".
///
/// # Errors
/// Where the database is away.
pub async fn checked(store: &Store, ends: &[Position], now: DateTime<Utc>) -> Result<(), StoreError> {
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = ends.iter().map(|end| (end.partition, end.offset)).unzip();
    let update = "UPDATE projection.progress p SET end_offset = e.end_offset, checked_at = $3 \
                  FROM unnest($1::int[], $2::int8[]) AS e (partition, end_offset) WHERE p.partition = e.partition";
    let client = store.client().await?;
    client.execute(update, &[&partitions, &offsets, &now]).await.doing("note the ends of the partitions")?;
    Ok(())
}
