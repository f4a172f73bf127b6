//! The identifier of this installation, by which its topic differs from that of another one.

use uuid::Uuid;

use super::{QueryContext as _, Store, StoreError};

/// The identifier of the installation that this database belongs to.
pub async fn id(store: &Store) -> Result<Uuid, StoreError> {
    let row = store.client().await?.query_one("SELECT id FROM registry.installation", &[]).await;
    Ok(row.context("read the identifier of the installation")?.get(0))
}

/// Makes this database the one of another installation, whose database was lost.
pub async fn adopt(store: &Store, id: Uuid) -> Result<(), StoreError> {
    let update = "UPDATE registry.installation SET id = $1";
    store.client().await?.execute(update, &[&id]).await.context("adopt the identifier of the installation")?;
    Ok(())
}
