//! The rows of facts as records of a topic, one each, for the peers of the projector.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::Client;
use yomitori_facility::StoredJson as _;
use yomitori_proto::event::Recorded;
use yomitori_proto::id::FacilityId;

use super::producer::Producer;
use super::{topic, traffic};

/// The columns of a fact that a peer writes, with the type names of Kafka Connect.
pub const COLUMNS: [(&str, &str); 8] = [
    ("facility_id", "string"),
    ("kind", "string"),
    ("occurred_at", "int64"),
    ("received_at", "int64"),
    ("terminal_id", "string"),
    ("life", "string"),
    ("seq", "int64"),
    ("event", "string"),
];
/// The same columns for PostgreSQL.
pub const TABLE: &str = "facility_id text, kind text, occurred_at int8, received_at int8, terminal_id text, life text, \
                         seq int8, event text";
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Without progress for this time, the remaining rows are lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// The form of a row in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON object of the columns.
    Plain,
    /// With its schema, as required by Connect's own converter.
    WithSchema,
}

/// Rows of many facilities, interleaved.
#[derive(Debug)]
pub struct Rows {
    rows: Vec<Value>,
}

impl Rows {
    /// At most `most` rows of `facilities` that all have the same `day`.
    ///
    /// # Errors
    /// If an event can't be written as JSON.
    pub fn of(day: &[Recorded], facilities: u64, most: u64) -> Result<Self> {
        let all = day.iter().flat_map(|recorded| (0..facilities).map(move |number| (recorded, number)));
        let rows = all
            .take(usize::try_from(most)?)
            .map(|(recorded, number)| row(&traffic::varied(recorded.clone(), number), number));
        Ok(Self { rows: rows.collect::<Result<_>>()? })
    }

    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the rows into a new topic.
    ///
    /// # Errors
    /// If Kafka refuses.
    pub async fn produce(&self, address: &str, topic: &str, form: Form) -> Result<()> {
        topic::create(address, topic).await?;
        let payloads: Vec<Vec<u8>> = self.rows.iter().map(|row| form.written(row).to_string().into_bytes()).collect();
        let (address, topic) = (address.to_owned(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            Producer { address: &address, topic: &topic, codec: "lz4" }.send(&[], &payloads, payloads.len() as u64)
        })
        .await??;
        Ok(())
    }
}

impl Form {
    fn written(self, row: &Value) -> Value {
        if self == Self::Plain {
            return row.clone();
        }
        let fields: Vec<Value> =
            COLUMNS.iter().map(|(field, of)| json!({ "field": field, "type": of, "optional": false })).collect();
        json!({ "schema": { "type": "struct", "name": "fact", "optional": false, "fields": fields }, "payload": row })
    }
}

fn row(recorded: &Recorded, number: u64) -> Result<Value> {
    let observed = recorded.observed().context("an observation")?;
    let facility = FacilityId(uuid::Uuid::from_u128(1 << 64 | u128::from(number)));
    Ok(json!({
        "facility_id": facility.to_string(),
        "kind": recorded.event.kind(),
        "occurred_at": observed.occurred_at.timestamp_micros(),
        "received_at": recorded.received_at.timestamp_micros(),
        "terminal_id": observed.terminal.to_string(),
        "life": observed.life.to_string(),
        "seq": observed.seq.0,
        "event": recorded.event.to_json().context("write an event")?,
    }))
}

/// Waits for `all` rows in `table`; returns the rate per second, from the first visible row to the last.
///
/// # Errors
/// If no more rows arrive.
pub async fn counted(store: &Client, table: &str, all: u64) -> Result<f64> {
    let count = async || -> Result<u64> {
        let row = store.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.context("count rows")?;
        Ok(row.get::<_, i64>(0).cast_unsigned())
    };
    let mut since = Instant::now();
    let (mut first, mut last) = (None, 0);
    while last < all {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = count().await?;
        if now > last {
            (last, since) = (now, Instant::now());
            first = first.or(Some((now, since)));
        }
        ensure!(since.elapsed() < PATIENCE, "{last} of {all} rows are in `{table}`, and no more");
    }
    let (of_first, from) = first.context("more rows than can be counted at once")?;
    ensure!(last > of_first, "all {all} rows came at once: give it more");
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    Ok((last - of_first) as f64 / (since - from).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_every_column_and_its_schema_names_them() {
        let day = traffic::day(&traffic::example().unwrap(), 3).unwrap();
        let rows = Rows::of(&day, 2, 5).unwrap();
        assert_eq!(rows.len(), 5);
        let written = Form::WithSchema.written(&rows.rows[4]);
        let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
        let fields = written["schema"]["fields"].as_array().unwrap();
        assert_eq!(fields.iter().map(|field| field["field"].as_str().unwrap()).collect::<Vec<_>>(), names);
        let row = written["payload"].as_object().unwrap();
        assert!(names.iter().all(|name| row.contains_key(*name)) && row.len() == names.len(), "{row:?}");
        assert_eq!(Form::Plain.written(&rows.rows[4]), written["payload"]);
        assert_eq!(TABLE.split(", ").map(|column| column.split(' ').next().unwrap()).collect::<Vec<_>>(), names);
    }
}
