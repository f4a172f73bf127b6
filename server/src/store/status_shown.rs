//! The status that was shown of each facility (transaction time): one more row whenever it changes. Such a change also
//! marks the status history of the facility as pending.

use tokio_postgres::Transaction;

use super::status_row::words;
use super::{QueryContext as _, StoreError};

/// Records the differences between the `incoming` rows and those that they are about to replace.
pub(super) async fn note(transaction: &Transaction<'_>, incoming: &str) -> Result<(), StoreError> {
    let (new, old, kept) = (words(Some("i")), words(Some("f")), words(None));
    let insert = format!(
        "WITH noted AS (INSERT INTO registry.status_shown (facility_id, known_from, {kept}) \
         SELECT i.facility_id, i.folded_at, {new} \
         FROM {incoming} i LEFT JOIN projection.facility_row f USING (facility_id) \
         WHERE f.facility_id IS NULL OR ({old}) IS DISTINCT FROM ({new}) \
         ON CONFLICT (facility_id, known_from) DO NOTHING RETURNING facility_id) \
         INSERT INTO registry.status_history_pending (facility_id) SELECT facility_id FROM noted"
    );
    transaction.execute(&insert, &[]).await.context("record what was shown")?;
    Ok(())
}

/// Records the differences that a swap of the generations is about to show.
pub(super) async fn note_exchange(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let (new, old, kept) = (words(Some("s")), words(Some("f")), words(None));
    let insert = format!(
        "WITH noted AS (INSERT INTO registry.status_shown (facility_id, known_from, {kept}) SELECT s.facility_id, now(), {new} \
         FROM shadow.facility_row s LEFT JOIN projection.facility_row f USING (facility_id) \
         WHERE f.facility_id IS NULL OR ({old}) IS DISTINCT FROM ({new}) RETURNING facility_id) \
         INSERT INTO registry.status_history_pending (facility_id) SELECT facility_id FROM noted"
    );
    let gone = format!(
        "INSERT INTO registry.status_shown (facility_id, known_from, shown, {kept}) SELECT f.facility_id, now(), false, {old} \
         FROM projection.facility_row f LEFT JOIN shadow.facility_row s USING (facility_id) WHERE s.facility_id IS NULL"
    );
    for statement in [insert, gone] {
        transaction.execute(&statement, &[]).await.context("record what was shown")?;
    }
    Ok(())
}
