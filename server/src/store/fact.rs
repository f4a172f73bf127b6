//! The facts, once each.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;
use yomitori_facility::StoredJson as _;
use yomitori_proto::event::{EntryWithdrawn, Event, Observed, Origin, Recorded};
use yomitori_proto::id::{FacilityId, Life, Seq, StatementId, TerminalId};

use super::{QueryContext as _, Store, StoreError, terminal};
use crate::log::Position;

/// A fact with its position in the log; `index_in_record` counts within one record.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredFact {
    pub position: Position,
    pub index_in_record: i32,
    pub recorded: Recorded,
}

/// Writes facts by binary COPY, and what they say about terminals into the registry.
///
/// # Errors
/// If a fact already exists.
pub async fn copy(transaction: &Transaction<'_>, facts: &[StoredFact]) -> Result<(), StoreError> {
    if facts.is_empty() {
        return Ok(());
    }
    let context = "write facts";
    let statement = "COPY fact (partition, log_offset, index_in_record, facility_id, kind, occurred_at, received_at, \
                     terminal_id, life, seq, observed_at, sent_at, origin, event) FROM STDIN BINARY";
    let types = [
        Type::INT4,
        Type::INT8,
        Type::INT4,
        Type::UUID,
        Type::TEXT,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::UUID,
        Type::UUID,
        Type::INT8,
        Type::TIMESTAMPTZ,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
    ];
    let sink = transaction.copy_in(statement).await.context(context)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for StoredFact { position, index_in_record, recorded } in facts {
        let broken = |source| StoreError::Broken { what: "a fact", source };
        let observed = recorded.observed();
        let origin = match &recorded.origin {
            Origin::Terminal(_) => None,
            other => Some(other.to_json().map_err(broken)?),
        };
        let event = recorded.event.to_json().map_err(broken)?;
        writer
            .as_mut()
            .write(&[
                &position.partition,
                &position.offset,
                index_in_record,
                &recorded.facility.0,
                &recorded.event.kind(),
                &recorded.occurred_at(),
                &recorded.received_at,
                &observed.map(|o| o.terminal.0),
                &observed.map(|o| o.life.0),
                &observed.map(|o| o.seq.0.cast_signed()),
                &observed.map(|o| o.observed_at),
                &observed.map(|o| o.sent_at),
                &origin,
                &event,
            ])
            .await
            .context(context)?;
    }
    writer.finish().await.context(context)?;
    for StoredFact { position, recorded, .. } in facts {
        terminal::note(transaction, recorded, position.offset).await?;
    }
    Ok(())
}

/// The facts of these kinds about a facility, or the fleet, in the order of the log.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn of_kinds(store: &Store, facility: FacilityId, kinds: &[&str]) -> Result<Vec<StoredFact>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM projection.fact WHERE facility_id = $1 AND kind = ANY($2) \
         ORDER BY partition, log_offset, index_in_record"
    );
    let rows = store.client().await?.query(&query, &[&facility.0, &kinds]).await.context("read facts of some kinds")?;
    rows.iter().map(stored_fact).collect()
}

/// Passes every fact of these facilities to `take`, facility by facility and in the order of the log: one at a time,
/// because there may be millions.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn each(
    store: &Store,
    facilities: &[FacilityId],
    mut take: impl FnMut(StoredFact),
) -> Result<(), StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM projection.fact WHERE facility_id = ANY($1) \
         ORDER BY facility_id, partition, log_offset, index_in_record"
    );
    let ids: Vec<Uuid> = facilities.iter().map(|id| id.0).collect();
    let context = "read the facts of facilities";
    let client = store.client().await?;
    let mut rows = pin!(client.query_raw(&query, [&ids]).await.context(context)?);
    while let Some(row) = rows.try_next().await.context(context)? {
        take(stored_fact(&row)?);
    }
    Ok(())
}

/// The observation of a facility with this number in a life.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn observed(
    store: &Store,
    facility: FacilityId,
    life: Life,
    seq: Seq,
) -> Result<Option<StoredFact>, StoreError> {
    let query =
        format!("SELECT {COLUMNS} FROM projection.fact WHERE facility_id = $1 AND life = $2 AND seq = $3 LIMIT 1");
    let client = store.client().await?;
    let row = client.query_opt(&query, &[&facility.0, &life.0, &seq.0.cast_signed()]).await;
    row.context("look up an observation")?.as_ref().map(stored_fact).transpose()
}

/// The statement of a facility, or of the fleet, that has this identifier.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn statement(store: &Store, facility: FacilityId, id: StatementId) -> Result<Option<StoredFact>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM projection.fact WHERE facility_id = $1 AND position($2 in origin) > 0 \
         ORDER BY partition, log_offset LIMIT 1"
    );
    let client = store.client().await?;
    let row = client.query_opt(&query, &[&facility.0, &format!("\"id\":\"{id}\"")]).await;
    row.context("look up a statement")?.as_ref().map(stored_fact).transpose()
}

/// Whether the store has the statement of the record at `position`. A position alone doesn't say so: the record of a blocked
/// facility waits, and a topic that was created again has other records at the same positions.
pub async fn has_statement(
    store: &Store,
    facility: FacilityId,
    id: StatementId,
    position: Position,
) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT FROM projection.fact WHERE partition = $1 AND log_offset = $2 \
                 AND facility_id = $3 AND position($4 in origin) > 0)";
    let client = store.client().await?;
    let id = format!("\"id\":\"{id}\"");
    let row = client.query_one(query, &[&position.partition, &position.offset, &facility.0, &id]).await;
    Ok(row.context("look up a statement")?.get(0))
}

/// Whether a statement of a facility, or of the fleet, was withdrawn.
pub async fn is_withdrawn(store: &Store, facility: FacilityId, id: StatementId) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT FROM projection.fact WHERE facility_id = $1 AND kind = 'statement_withdrawn' \
                 AND position($2 in event) > 0)";
    let client = store.client().await?;
    let row = client.query_one(query, &[&facility.0, &id.to_string()]).await;
    Ok(row.context("look up a withdrawal")?.get(0))
}

/// Whether an entry of a desk page is withdrawn.
pub async fn is_entry_withdrawn(
    store: &Store,
    facility: FacilityId,
    entry: &EntryWithdrawn,
) -> Result<bool, StoreError> {
    let withdrawn = of_kinds(store, facility, &["entry_withdrawn"]).await?;
    Ok(withdrawn.iter().any(|fact| matches!(&fact.recorded.event, Event::EntryWithdrawn(event) if event == entry)))
}

/// The columns that [`stored`] reads, in its order.
pub(super) const COLUMNS: &str = "partition, log_offset, index_in_record, facility_id, received_at, event, origin, \
                                  terminal_id, life, seq, occurred_at, observed_at, sent_at";

/// Reads a fact from its row.
pub(super) fn stored_fact(row: &Row) -> Result<StoredFact, StoreError> {
    let broken = |source| StoreError::Broken { what: "a fact", source };
    let origin = match row.get::<_, Option<Uuid>>(7) {
        Some(terminal) => Origin::Terminal(Observed {
            terminal: TerminalId(terminal),
            life: Life(row.get(8)),
            seq: Seq(row.get::<_, i64>(9).cast_unsigned()),
            occurred_at: row.get(10),
            observed_at: row.get(11),
            sent_at: row.get(12),
        }),
        None => Origin::from_json(row.get(6)).map_err(broken)?,
    };
    Ok(StoredFact {
        position: Position { partition: row.get(0), offset: row.get(1) },
        index_in_record: row.get(2),
        recorded: Recorded {
            facility: FacilityId(row.get(3)),
            received_at: row.get(4),
            origin,
            event: Event::from_json(row.get(5)).map_err(broken)?,
        },
    })
}
