//! What was shown of each facility, and from when: a row more whenever one comes to say something else.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;
use yomitori_proto::id::FacilityId;

use super::{Doing as _, Store, StoreError};

/// What is kept of a row.
const WORDS: [&str; 12] = [
    "code",
    "name",
    "prefecture",
    "eligible",
    "evidence",
    "evidence_level",
    "equipment",
    "intent",
    "opt_out",
    "listing",
    "freshness",
    "flags",
];

fn words(of: &str) -> String {
    WORDS.map(|word| format!("{of}.{word}")).join(", ")
}

/// Keeps what the rows that are `incoming` say otherwise than those that they are about to replace.
///
/// # Errors
/// Where the database is away.
pub(super) async fn note(transaction: &Transaction<'_>, incoming: &str) -> Result<(), StoreError> {
    let (new, old, kept) = (words("i"), words("f"), WORDS.join(", "));
    let insert = format!(
        "INSERT INTO registry.belief (facility_id, known_from, {kept}) SELECT i.facility_id, i.folded_at, {new} \
         FROM {incoming} i LEFT JOIN projection.facility_row f USING (facility_id) \
         WHERE f.facility_id IS NULL OR ({old}) IS DISTINCT FROM ({new}) \
         ON CONFLICT (facility_id, known_from) DO NOTHING"
    );
    transaction.execute(&insert, &[]).await.doing("keep what was shown")?;
    Ok(())
}

/// Keeps what an exchange of the generations is about to show otherwise.
///
/// # Errors
/// Where the database is away.
pub(super) async fn note_exchange(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let (new, old, kept) = (words("s"), words("f"), WORDS.join(", "));
    let insert = format!(
        "INSERT INTO registry.belief (facility_id, known_from, {kept}) SELECT s.facility_id, now(), {new} \
         FROM shadow.facility_row s LEFT JOIN projection.facility_row f USING (facility_id) \
         WHERE f.facility_id IS NULL OR ({old}) IS DISTINCT FROM ({new})"
    );
    let gone = format!(
        "INSERT INTO registry.belief (facility_id, known_from, shown, {kept}) SELECT f.facility_id, now(), false, {old} \
         FROM projection.facility_row f LEFT JOIN shadow.facility_row s USING (facility_id) WHERE s.facility_id IS NULL"
    );
    for statement in [insert, gone] {
        transaction.execute(&statement, &[]).await.doing("keep what was shown")?;
    }
    Ok(())
}

/// What was shown of a facility at an instant.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Shown {
    pub facility: FacilityId,
    /// Since when it had been shown so.
    pub known_from: DateTime<Utc>,
    pub code: Option<String>,
    pub name: String,
    pub prefecture: String,
    pub eligible: String,
    pub evidence: String,
    pub evidence_level: Option<String>,
    pub equipment: String,
    pub intent: String,
    pub opt_out: String,
    pub listing: String,
    pub freshness: String,
    pub flags: Vec<String>,
}

/// What was shown at `at`, of all facilities or of one, ordered by prefecture and name.
///
/// # Errors
/// Where the database is away.
pub async fn at(store: &Store, at: DateTime<Utc>, facility: Option<FacilityId>) -> Result<Vec<Shown>, StoreError> {
    let query = format!(
        "SELECT facility_id, known_from, {} FROM analytics.status_known_at($1, $2) ORDER BY prefecture, name, facility_id",
        WORDS.join(", ")
    );
    let facility: Option<Uuid> = facility.map(|id| id.0);
    let rows = store.client().await?.query(&query, &[&at, &facility]).await.doing("read what was shown")?;
    let shown = |row: Row| Shown {
        facility: FacilityId(row.get(0)),
        known_from: row.get(1),
        code: row.get(2),
        name: row.get(3),
        prefecture: row.get(4),
        eligible: row.get(5),
        evidence: row.get(6),
        evidence_level: row.get(7),
        equipment: row.get(8),
        intent: row.get(9),
        opt_out: row.get(10),
        listing: row.get(11),
        freshness: row.get(12),
        flags: row.get(13),
    };
    Ok(rows.into_iter().map(shown).collect())
}
