//! What a swap would change: the rows of the two generations side by side, at one instant.

use serde::Serialize;
use serde_json::{Map, Value};
use tokio_postgres::IsolationLevel;
use yomitori_proto::id::FacilityId;

use crate::store::status_row::{compared, listed};
use crate::store::{QueryContext as _, Store, StoreError};

/// Everything that a swap would change.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// Facilities that were compared.
    pub compared: i64,
    /// Facilities with facts that one of the generations has not folded yet: they were not compared.
    pub moving: i64,
    pub facilities: Vec<FacilityDifference>,
}

/// A facility whose row would change.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FacilityDifference {
    pub facility: FacilityId,
    pub code: Option<String>,
    pub name: Option<String>,
    /// Whether the facility is in both generations or only in one.
    pub presence: InGenerations,
    pub columns: Vec<ColumnDifference>,
}

/// The generations that contain a facility.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InGenerations {
    Both,
    OnlyLive,
    OnlyBeside,
}

/// One column of a row.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ColumnDifference {
    pub name: &'static str,
    pub live: Value,
    pub beside: Value,
}

/// Compares the generation beside the live one with it.
///
/// # Errors
/// If no generation exists beside the live one.
pub async fn between(store: &Store) -> Result<Difference, StoreError> {
    let context = "compare the generations";
    let mut client = store.client().await?;
    let snapshot = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let snapshot = snapshot.start().await.context(context)?;
    let ahead = "SELECT DISTINCT f.facility_id FROM projection.fact f \
                 JOIN shadow.progress s USING (partition) JOIN projection.progress l USING (partition) \
                 WHERE f.log_offset >= least(s.next_offset, l.next_offset)";
    let list = listed(compared());
    let count = format!(
        "WITH moving AS ({ahead}) SELECT (SELECT count(*) FROM moving), (SELECT count(*) FROM projection.facility_row \
         FULL JOIN shadow.facility_row USING (facility_id) WHERE facility_id NOT IN (SELECT facility_id FROM moving))"
    );
    let counted = snapshot.query_one(&count, &[]).await.context(context)?;
    let query = format!(
        "WITH moving AS ({ahead}), l AS (SELECT facility_id, {list} FROM projection.facility_row), \
         s AS (SELECT facility_id, {list} FROM shadow.facility_row) \
         SELECT facility_id, to_jsonb(l), to_jsonb(s) FROM l FULL JOIN s USING (facility_id) \
         WHERE l IS DISTINCT FROM s AND facility_id NOT IN (SELECT facility_id FROM moving) \
         ORDER BY coalesce(l.prefecture, s.prefecture), coalesce(l.name, s.name), facility_id"
    );
    let rows = snapshot.query(&query, &[]).await.context(context)?;
    let facilities = rows.iter().map(|row| changed(FacilityId(row.get(0)), row.get(1), row.get(2))).collect();
    Ok(Difference { compared: counted.get(1), moving: counted.get(0), facilities })
}

fn changed(facility: FacilityId, live: Option<Value>, beside: Option<Value>) -> FacilityDifference {
    let presence = match (&live, &beside) {
        (Some(_), None) => InGenerations::OnlyLive,
        (None, Some(_)) => InGenerations::OnlyBeside,
        (Some(_), Some(_)) | (None, None) => InGenerations::Both,
    };
    let row = |value: Option<Value>| match value {
        Some(Value::Object(row)) => row,
        Some(_) | None => Map::new(),
    };
    let (live, beside) = (row(live), row(beside));
    let of = |row: &Map<String, Value>, name: &str| row.get(name).cloned().unwrap_or(Value::Null);
    let text = |name| [&live, &beside].into_iter().find_map(|row| row.get(name)?.as_str().map(str::to_owned));
    let columns = compared()
        .map(|name| ColumnDifference { name, live: of(&live, name), beside: of(&beside, name) })
        .filter(|column| column.live != column.beside)
        .collect();
    FacilityDifference { facility, code: text("code"), name: text("name"), presence, columns }
}
