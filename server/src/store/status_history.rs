//! The status history of each facility by all that is known now (valid time), and the facilities to recompute.

use std::collections::BTreeMap;
use std::pin::pin;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;
use yomitori_facility::{Facility, StatusWords, StoredJson as _, TimelineHead};
use yomitori_proto::event::Recorded;
use yomitori_proto::id::FacilityId;

use super::{QueryContext as _, Store, StoreError, fact, status_row};

/// A facility whose history is to be recomputed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingFacility {
    pub facility: FacilityId,
    /// The history before this instant has not changed.
    pub late_from: Option<DateTime<Utc>>,
}

/// Marks facilities of which a fact about an earlier instant became known.
pub async fn late(
    transaction: &Transaction<'_>,
    facilities: &BTreeMap<FacilityId, DateTime<Utc>>,
) -> Result<(), StoreError> {
    if facilities.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = facilities.keys().map(|id| id.0).collect();
    let from: Vec<DateTime<Utc>> = facilities.values().copied().collect();
    let insert = "INSERT INTO registry.status_history_pending (facility_id, late_from) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])";
    transaction.execute(insert, &[&ids, &from]).await.context("record late facts")?;
    Ok(())
}

/// Deletes the histories of facilities that a swap of the generations removed; if the facts were swapped too, marks
/// every history to be recomputed from the beginning.
pub(super) async fn exchanged(transaction: &Transaction<'_>, with_facts: bool) -> Result<(), StoreError> {
    let context = "mark every history as pending";
    let forget = "DELETE FROM registry.status_history_head h \
                  WHERE NOT EXISTS (SELECT FROM projection.facility_row f WHERE f.facility_id = h.facility_id)";
    transaction.execute(forget, &[]).await.context(context)?;
    if with_facts {
        let insert = "INSERT INTO registry.status_history_pending (facility_id, late_from) \
                      SELECT facility_id, '-infinity' FROM projection.facility_row";
        transaction.execute(insert, &[]).await.context(context)?;
    }
    Ok(())
}

/// Marks the facilities whose history has other rules or another version of the fold; returns their number.
pub async fn outdated(store: &Store, policy_hash: i64, fold: i32) -> Result<u64, StoreError> {
    let insert = "INSERT INTO registry.status_history_pending (facility_id) SELECT facility_id FROM registry.status_history_head h \
                  WHERE (policy_hash <> $1 OR fold <> $2) \
                  AND NOT EXISTS (SELECT FROM registry.status_history_pending d WHERE d.facility_id = h.facility_id)";
    let client = store.client().await?;
    client.execute(insert, &[&policy_hash, &fold]).await.context("mark histories of other rules")
}

/// Up to `limit` facilities that are due, the longest waiting first; none if another instance works on them.
pub async fn due(transaction: &Transaction<'_>, limit: i64) -> Result<Vec<PendingFacility>, StoreError> {
    const LOCK: i64 = 0x796f_6d69_7472_7574;
    let context = "read pending histories";
    if !transaction
        .query_one("SELECT pg_try_advisory_xact_lock($1)", &[&LOCK])
        .await
        .context(context)?
        .get::<_, bool>(0)
    {
        return Ok(Vec::new());
    }
    let query = "SELECT facility_id, CASE WHEN isfinite(min(late_from)) THEN min(late_from) \
                                          WHEN min(late_from) IS NOT NULL THEN 'epoch' END \
                 FROM registry.status_history_pending WHERE facility_id IN \
                 (SELECT facility_id FROM registry.status_history_pending ORDER BY number LIMIT $1) GROUP BY facility_id";
    let rows = transaction.query(query, &[&limit]).await.context(context)?;
    Ok(rows.iter().map(|row| PendingFacility { facility: FacilityId(row.get(0)), late_from: row.get(1) }).collect())
}

/// Where the history of a facility can resume.
#[derive(Clone, PartialEq, Debug)]
pub struct Heads {
    /// An hour ago.
    pub last: TimelineHead,
    /// Further back, for a facility of which facts arrived later than that.
    pub earlier: Option<TimelineHead>,
}

/// Where the history of a facility can resume, if it has this policy and this version of the fold.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn heads(
    transaction: &Transaction<'_>,
    facility: FacilityId,
    policy_hash: i64,
    fold: i32,
) -> Result<Option<Heads>, StoreError> {
    let query = "SELECT through, state, earlier_through, earlier_state FROM registry.status_history_head \
                 WHERE facility_id = $1 AND policy_hash = $2 AND fold = $3";
    let row = transaction
        .query_opt(query, &[&facility.0, &policy_hash, &fold])
        .await
        .context("read where a history resumes")?;
    let head = |through: DateTime<Utc>, state: &str| {
        let facility = Facility::from_json(state);
        let facility = facility.map_err(|source| StoreError::Broken { what: "a facility's earlier state", source })?;
        Ok(TimelineHead { facility, through })
    };
    row.map(|row| {
        let earlier = row.get::<_, Option<DateTime<Utc>>>(2).zip(row.get::<_, Option<&str>>(3));
        let earlier = earlier.map(|(through, state)| head(through, state)).transpose()?;
        Ok(Heads { last: head(row.get(0), row.get(1))?, earlier })
    })
    .transpose()
}

/// The facts of a facility that occurred after `since`, or all, in the order of the log.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn facts(
    transaction: &Transaction<'_>,
    facility: FacilityId,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Recorded>, StoreError> {
    let query = format!(
        "SELECT {} FROM projection.fact WHERE facility_id = $1 AND ($2::timestamptz IS NULL OR occurred_at > $2) \
         ORDER BY partition, log_offset, index_in_record",
        fact::COLUMNS
    );
    let rows = transaction.query(&query, &[&facility.0, &since]).await.context("read the facts of a facility")?;
    rows.iter().map(|row| fact::stored_fact(row).map(|stored| stored.recorded)).collect()
}

/// A recomputed history.
pub struct BuiltHistory {
    pub facility: FacilityId,
    /// The previous history is kept up to here.
    pub kept: Option<DateTime<Utc>>,
    pub entries: Vec<(DateTime<Utc>, StatusWords)>,
    pub heads: Heads,
}

/// Writes the histories and unmarks these facilities; those that became due since `transaction` began stay marked.
pub async fn write(
    transaction: &Transaction<'_>,
    built: &[BuiltHistory],
    policy_hash: i64,
    fold: i32,
) -> Result<(), StoreError> {
    let context = "write the status history";
    let ids: Vec<Uuid> = built.iter().map(|built| built.facility.0).collect();
    let kept: Vec<Option<DateTime<Utc>>> = built.iter().map(|built| built.kept).collect();
    let forget = "DELETE FROM registry.status_history t USING unnest($1::uuid[], $2::timestamptz[]) AS computed(facility_id, kept) \
                  WHERE t.facility_id = computed.facility_id AND (kept IS NULL OR t.valid_from > kept)";
    transaction.execute(forget, &[&ids, &kept]).await.context(context)?;
    let copy = format!(
        "COPY registry.status_history (facility_id, valid_from, {}) FROM STDIN BINARY",
        status_row::words(None)
    );
    let types = [vec![Type::UUID, Type::TIMESTAMPTZ], status_row::word_types()].concat();
    let mut writer = pin!(BinaryCopyInWriter::new(transaction.copy_in(&copy).await.context(context)?, &types));
    for BuiltHistory { facility, entries, .. } in built {
        for (from, words) in entries {
            let key: [&(dyn ToSql + Sync); 2] = [&facility.0, from];
            let row: Vec<_> = key.into_iter().chain(status_row::word_values(words)).collect();
            writer.as_mut().write(&row).await.context(context)?;
        }
    }
    writer.finish().await.context(context)?;
    let through: Vec<DateTime<Utc>> = built.iter().map(|built| built.heads.last.through).collect();
    let states = built.iter().map(|built| state(&built.heads.last)).collect::<Result<Vec<_>, _>>()?;
    let earlier = || built.iter().map(|built| built.heads.earlier.as_ref());
    let earlier_through: Vec<Option<DateTime<Utc>>> = earlier().map(|head| Some(head?.through)).collect();
    let earlier_states = earlier().map(|head| head.map(state).transpose()).collect::<Result<Vec<_>, _>>()?;
    let heads = "INSERT INTO registry.status_history_head \
                 (facility_id, through, state, earlier_through, earlier_state, policy_hash, fold) \
                 SELECT *, $6, $7 FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::text[]) \
                 ON CONFLICT (facility_id) DO UPDATE SET \
                 (through, state, earlier_through, earlier_state, policy_hash, fold) = (EXCLUDED.through, EXCLUDED.state, \
                 EXCLUDED.earlier_through, EXCLUDED.earlier_state, EXCLUDED.policy_hash, EXCLUDED.fold)";
    let values: [&(dyn ToSql + Sync); 7] =
        [&ids, &through, &states, &earlier_through, &earlier_states, &policy_hash, &fold];
    transaction.execute(heads, &values).await.context(context)?;
    let done = "DELETE FROM registry.status_history_pending WHERE facility_id = ANY($1)";
    transaction.execute(done, &[&ids]).await.context(context)?;
    Ok(())
}

fn state(head: &TimelineHead) -> Result<String, StoreError> {
    head.facility.to_json().map_err(|source| StoreError::Broken { what: "a facility's earlier state", source })
}
