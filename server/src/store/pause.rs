//! Which partitions of the log are not folded at present, and why. The projector that owns a partition writes it, so that
//! every server can say it.

use super::{QueryContext as _, Store, StoreError};

/// Why a partition is not folded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionPause {
    pub partition: i32,
    pub reason: String,
    /// Whether the log is another one than was folded; otherwise it could not be read.
    pub differs: bool,
}

/// Records that a partition is paused.
pub async fn begin(store: &Store, pause: &PartitionPause) -> Result<(), StoreError> {
    let upsert = "INSERT INTO registry.partition_pause (partition, reason, differs) VALUES ($1, $2, $3) \
                  ON CONFLICT (partition) DO UPDATE SET reason = EXCLUDED.reason, differs = EXCLUDED.differs, \
                  since = EXCLUDED.since";
    let PartitionPause { partition, reason, differs } = pause;
    let client = store.client().await?;
    client.execute(upsert, &[partition, reason, differs]).await.context("record that a partition is paused")?;
    Ok(())
}

/// Records that a partition is folded again.
pub async fn end(store: &Store, partition: i32) -> Result<(), StoreError> {
    let delete = "DELETE FROM registry.partition_pause WHERE partition = $1";
    let client = store.client().await?;
    client.execute(delete, &[&partition]).await.context("record that a partition is folded again")?;
    Ok(())
}

/// Why the first partition is paused whose log is another one than was folded.
pub async fn difference(store: &Store) -> Result<Option<String>, StoreError> {
    let query = "SELECT reason FROM registry.partition_pause WHERE differs ORDER BY partition LIMIT 1";
    let row = store.client().await?.query_opt(query, &[]).await.context("read which partitions are paused")?;
    Ok(row.map(|row| row.get(0)))
}
