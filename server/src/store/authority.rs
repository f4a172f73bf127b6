//! The certificate authority that the terminals trust, by its fingerprint.

use super::{QueryContext as _, Store, StoreError};

/// The fingerprint of the authority; `None` before the first one is recorded.
pub async fn fingerprint(store: &Store) -> Result<Option<String>, StoreError> {
    let query = "SELECT fingerprint FROM registry.authority";
    let row = store.client().await?.query_opt(query, &[]).await.context("read which authority terminals trust")?;
    Ok(row.map(|row| row.get(0)))
}

/// Records the first authority; one that is recorded already stays.
pub async fn record(store: &Store, fingerprint: &str) -> Result<(), StoreError> {
    let insert = "INSERT INTO registry.authority (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING";
    store.client().await?.execute(insert, &[&fingerprint]).await.context("record the authority")?;
    Ok(())
}

/// Records another authority in place of one that was lost.
pub async fn replace(store: &Store, fingerprint: &str) -> Result<(), StoreError> {
    let upsert = "INSERT INTO registry.authority (fingerprint) VALUES ($1) \
                  ON CONFLICT (only_one) DO UPDATE SET fingerprint = EXCLUDED.fingerprint, recorded_at = now()";
    store.client().await?.execute(upsert, &[&fingerprint]).await.context("replace the authority")?;
    Ok(())
}
