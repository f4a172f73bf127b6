//! How far the log has been folded, per partition. A writer must name the previous position, so that the database, and
//! not a clock, stops a projector that lost its partition or that folds into a generation that is no longer live.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::generation::GenerationNumber;
use super::{QueryContext as _, Store, StoreError};
use crate::log::Position;
use crate::log::identity::{Folded, RecordDigest};

/// The position of one partition up to which the store is current.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub next: Position,
    /// When a record was last folded; `None` if none ever was.
    pub folded_at: Option<DateTime<Utc>>,
    /// When the projector last read the end of the log.
    pub checked_at: Option<DateTime<Utc>>,
}

/// The position of every partition; partitions that were never folded are missing.
pub async fn all(store: &Store) -> Result<Vec<Progress>, StoreError> {
    let query = "SELECT partition, next_offset, folded_at, checked_at FROM progress ORDER BY partition";
    let rows = store.client().await?.query(query, &[]).await.context("read the progress of the projection")?;
    let progress = |row: tokio_postgres::Row| Progress {
        next: Position { partition: row.get(0), offset: row.get(1) },
        folded_at: row.get(2),
        checked_at: row.get(3),
    };
    Ok(rows.into_iter().map(progress).collect())
}

/// The number of records that were not folded when the projector last looked.
pub async fn behind(store: &Store) -> Result<i64, StoreError> {
    let query = "SELECT coalesce(sum(greatest(end_offset - next_offset, 0)), 0)::int8 FROM progress";
    let row = store.client().await?.query_one(query, &[]).await.context("read the progress of the projection")?;
    Ok(row.get(0))
}

/// How many partitions the topic had when the first of them was folded; `None` before that.
pub async fn partitions(store: &Store) -> Result<Option<i32>, StoreError> {
    let query = "SELECT min(partitions) FROM progress WHERE next_offset > 0";
    let row = store.client().await?.query_one(query, &[]).await.context("read the number of partitions")?;
    Ok(row.get(0))
}

/// The position of `partition`, one of `of`; 0 if it was never folded. Waits for the end of a transaction that a previous owner may
/// have left open.
pub async fn start(store: &Store, partition: i32, of: i32) -> Result<Position, StoreError> {
    let insert = "INSERT INTO progress (partition, next_offset, generation, partitions) \
                  SELECT $1, 0, number, $2 FROM generation \
                  ON CONFLICT (partition) DO UPDATE SET partitions = EXCLUDED.partitions \
                  WHERE progress.partitions IS NULL";
    let client = store.client().await?;
    client.execute(insert, &[&partition, &of]).await.context("begin a partition")?;
    let query = "SELECT next_offset FROM progress WHERE partition = $1 FOR UPDATE";
    let row = client.query_one(query, &[&partition]).await.context("read a partition's place")?;
    Ok(Position { partition, offset: row.get(0) })
}

/// What was folded of each partition, for the comparison with the log.
pub async fn folded(store: &Store) -> Result<Vec<Folded>, StoreError> {
    let query = "SELECT partition, next_offset, last_record FROM progress";
    let rows = store.client().await?.query(query, &[]).await.context("read the progress of the projection")?;
    let folded = |row: &tokio_postgres::Row| {
        let next = Position { partition: row.get(0), offset: row.get(1) };
        // Another length is of another version of the program, and can't be compared.
        let last = row.get::<_, Option<Vec<u8>>>(2).and_then(|digest| digest.try_into().ok()).map(RecordDigest);
        Folded { next, last }
    };
    Ok(rows.iter().map(folded).collect())
}

/// Moves a partition from `expected` to `next`, after the record with the digest `last`. `false` if its position in this
/// generation differs: another instance owns it, or another generation is live.
pub async fn advance(
    transaction: &Transaction<'_>,
    generation: GenerationNumber,
    expected: Position,
    next: i64,
    last: Option<RecordDigest>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let update = "UPDATE progress SET next_offset = $4, last_record = $5, folded_at = $6 \
                  WHERE generation = $1 AND partition = $2 AND next_offset = $3";
    let last = last.map(|digest| digest.0.to_vec());
    let moved = transaction
        .execute(update, &[&generation.0, &expected.partition, &expected.offset, &next, &last, &now])
        .await
        .context("move a partition's place")?;
    Ok(moved == 1)
}

/// Whether a partition is at `expected` in this generation; locks it there until the transaction ends.
pub async fn stands(
    transaction: &Transaction<'_>,
    generation: GenerationNumber,
    expected: Position,
) -> Result<bool, StoreError> {
    let query = "SELECT 1 FROM progress WHERE generation = $1 AND partition = $2 AND next_offset = $3 FOR SHARE";
    let found = transaction.query_opt(query, &[&generation.0, &expected.partition, &expected.offset]).await;
    Ok(found.context("read the position of a partition")?.is_some())
}

/// Whether the record at `position` has been folded.
pub async fn reached(store: &Store, position: Position) -> Result<bool, StoreError> {
    let query = "SELECT coalesce((SELECT next_offset > $2 FROM progress WHERE partition = $1), false)";
    let client = store.client().await?;
    let row = client.query_one(query, &[&position.partition, &position.offset]).await.context("look up a position")?;
    Ok(row.get(0))
}

/// Records the ends of the partitions, as the projector just read them, so that "nothing new" differs from "not
/// checked".
pub async fn checked(store: &Store, ends: &[Position], now: DateTime<Utc>) -> Result<(), StoreError> {
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = ends.iter().map(|end| (end.partition, end.offset)).unzip();
    let update = "UPDATE progress p SET end_offset = e.end_offset, checked_at = $3 \
                  FROM unnest($1::int[], $2::int8[]) AS e (partition, end_offset) WHERE p.partition = e.partition";
    let client = store.client().await?;
    client.execute(update, &[&partitions, &offsets, &now]).await.context("record the ends of the partitions")?;
    Ok(())
}
