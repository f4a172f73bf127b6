//! Leases of running server instances, by the database's clock.

use std::time::Duration;

use yomitori_proto::id::Instance;

use super::{QueryContext as _, Store, StoreError};

/// Renews the lease of `instance` for `span`; returns whether it held one until now.
pub async fn renew(store: &Store, instance: Instance, span: Duration) -> Result<bool, StoreError> {
    let upsert = "WITH held AS (SELECT 1 FROM registry.lease WHERE instance = $1 AND expires_at > now()), \
                  renewed AS (INSERT INTO registry.lease AS l (instance, expires_at, held_since) \
                              VALUES ($1, now() + $2 * interval '1 second', now()) \
                              ON CONFLICT (instance) DO UPDATE SET expires_at = EXCLUDED.expires_at, held_since = \
                              CASE WHEN l.expires_at > now() THEN l.held_since ELSE now() END) \
                  SELECT EXISTS (SELECT FROM held)";
    let client = store.client().await?;
    let row = client.query_one(upsert, &[&instance.0, &span.as_secs_f64()]).await.context("renew the lease")?;
    Ok(row.get(0))
}

/// Returns the lease of `instance`, and deletes those that expired a day ago.
pub async fn release(store: &Store, instance: Instance) -> Result<(), StoreError> {
    let delete = "DELETE FROM registry.lease WHERE instance = $1 OR expires_at < now() - interval '1 day'";
    store.client().await?.execute(delete, &[&instance.0]).await.context("return the lease")?;
    Ok(())
}
