//! The facilities that need a call, or whose call has no effect yet: one row per facility, the most urgent first.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::status_row::{self, StatusRow};
use super::{QueryContext as _, Store, StoreError};

/// The stages, the most urgent first: a word and its condition. The first condition that holds decides.
const STAGES: [(&str, &str); 9] = [
    ("listed", "opt_out = 'needed' AND listing = 'listed'"),
    ("needed", "opt_out = 'needed'"),
    ("stale", "'opt_out_stale' = ANY(flags)"),
    ("overdue", "opt_out = 'planned' AND 'opt_out_needed' = ANY(flags)"),
    ("withdraw", "'opt_out_against_intent' = ANY(flags)"),
    ("planned", "opt_out = 'planned'"),
    ("called", "opt_out = 'called'"),
    ("acknowledged", "opt_out = 'acknowledged'"),
    ("ask", "'succeeded_not_listed' = ANY(flags)"),
];

/// The words of the stages, in order.
pub const KEYS: [&str; 9] =
    ["listed", "needed", "stale", "overdue", "withdraw", "planned", "called", "acknowledged", "ask"];

/// The facilities at any stage.
const SOME: &str = "(opt_out IN ('needed', 'planned', 'called', 'acknowledged') \
                    OR flags && ARRAY['opt_out_stale', 'opt_out_against_intent', 'succeeded_not_listed'])";

/// A facility that needs a call or waits for the result of one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Call {
    #[serde(flatten)]
    pub line: StatusRow,
    pub stage: String,
    /// When the stage began; for a planned call, its time.
    pub since: Option<DateTime<Utc>>,
    /// The opt-out process with its reasons, as the projector wrote it.
    pub process: Value,
    /// Who stated the intent last, and why.
    pub intention: Option<Value>,
    /// The raised flags, with sentences and next steps.
    pub attention: Value,
}

fn stage() -> String {
    let cases: Vec<String> = STAGES.iter().map(|(key, holds)| format!("WHEN {holds} THEN '{key}'")).collect();
    format!("CASE {} END", cases.join(" "))
}

/// The rows of a page, of one stage or of all.
pub async fn page(store: &Store, of: Option<&str>, limit: i64, offset: i64) -> Result<Vec<Call>, StoreError> {
    let instant = |name: &str| format!("(status->'opt_out'->>'{name}')::timestamptz");
    let since = format!(
        "coalesce({}, {}, {}, greatest(first_success_at, (status->'intent'->>'stated_at')::timestamptz))",
        instant("planned_at"),
        instant("called_at"),
        instant("acknowledged_at"),
    );
    let sql = format!(
        "SELECT {}, stage, {since} AS since, status->'opt_out' AS process, status->'intent_history'->0 AS intention, \
         status->'flags' AS attention \
         FROM (SELECT *, {} AS stage FROM projection.facility WHERE {SOME}) f WHERE $1::text IS NULL OR stage = $1 \
         ORDER BY array_position($2::text[], stage), since NULLS LAST, name, facility_id LIMIT {limit} OFFSET {offset}",
        status_row::shown(),
        stage()
    );
    let keys: &[&str] = &KEYS;
    let rows = store.client().await?.query(&sql, &[&of, &keys]).await.context("read calls to make")?;
    let call = |row: tokio_postgres::Row| Call {
        stage: row.get("stage"),
        since: row.get("since"),
        process: row.get::<_, Option<Value>>("process").unwrap_or_default(),
        intention: row.get("intention"),
        attention: row.get::<_, Option<Value>>("attention").unwrap_or_default(),
        line: StatusRow::from(&row),
    };
    Ok(rows.into_iter().map(call).collect())
}

/// How many facilities there are at each stage; stages with none are missing.
pub async fn counts(store: &Store) -> Result<Vec<(String, i64)>, StoreError> {
    let sql = format!("SELECT {} AS stage, count(*) FROM projection.facility WHERE {SOME} GROUP BY stage", stage());
    let rows = store.client().await?.query(&sql, &[]).await.context("count calls to make")?;
    Ok(rows.into_iter().map(|row| (row.get(0), row.get(1))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_have_one_order() {
        assert_eq!(STAGES.map(|(key, _)| key), KEYS);
    }
}
