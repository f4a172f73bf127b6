//! What has arrived of each life of a terminal: up to which number, how many observations, and what is missing. Kept as the
//! facts are folded, so that looking at it costs the same after years. By the highest number, what is sent again is
//! recognised.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use tokio_postgres::{Client, Row, Transaction};
use uuid::Uuid;
use yomitori_proto::event::{Event, Observed, Recorded};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};

use super::completeness::Hole;
use super::fact::StoredFact;
use super::{QueryContext as _, StoreError, fact};

/// What has arrived of one life of a terminal. All instants of observations are by the terminal's clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedLife {
    pub facility: FacilityId,
    /// The highest number of an observation.
    pub seq: Seq,
    /// When the observation with that number was made.
    pub observed_at: DateTime<Utc>,
    /// How many different numbers arrived.
    pub received: u64,
    /// When the first of them arrived, by the server's clock.
    pub first_received_at: DateTime<Utc>,
    /// When the last observation before the first missing number was made; `None` if already the first is missing.
    pub complete_up_to: Option<DateTime<Utc>>,
    /// Whether the observation with the highest number is the notice of a shutdown.
    pub stopped: bool,
}

/// Something that is missing in a life, found when the observation `seq` arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LifeGap {
    pub terminal: TerminalId,
    pub life: Life,
    pub seq: Seq,
    pub hole: Hole,
}

impl ReceivedLife {
    /// What a terminal that was enrolled again goes on with: everything up to `seq` arrived under its former identifier.
    #[must_use]
    pub const fn continued(recorded: &Recorded, seq: Seq, observed_at: DateTime<Utc>) -> Self {
        Self {
            facility: recorded.facility,
            seq,
            observed_at,
            received: seq.0,
            first_received_at: recorded.received_at,
            complete_up_to: Some(observed_at),
            stopped: false,
        }
    }

    /// The life after one more observation, whose number is higher than those `before`, and what is missing by it.
    #[must_use]
    pub fn after(before: Option<&Self>, recorded: &Recorded, observed: &Observed) -> (Self, Vec<LifeGap>) {
        let mut gaps = Vec::new();
        let mut found = |hole| {
            gaps.push(LifeGap { terminal: observed.terminal, life: observed.life, seq: observed.seq, hole });
        };
        let last = before.map_or(Seq::NONE, |before| before.seq);
        if observed.seq.0 > last.0 + 1 {
            found(Hole::Missing {
                from_seq: (last.0 + 1).cast_signed(),
                to_seq: (observed.seq.0 - 1).cast_signed(),
                from: before.map(|before| before.observed_at),
                to: observed.observed_at,
            });
        }
        if let Event::CollectionGap(gap) = &recorded.event {
            found(Hole::NotCollected { source: gap.source, from: gap.from, to: gap.to, lost: gap.lost });
        }
        let received = before.map_or(0, |before| before.received) + 1;
        let life = Self {
            facility: recorded.facility,
            seq: observed.seq,
            observed_at: observed.observed_at,
            received,
            first_received_at: before.map_or(recorded.received_at, |before| before.first_received_at),
            complete_up_to: match before {
                _ if received == observed.seq.0 => Some(observed.observed_at),
                Some(before) => before.complete_up_to,
                None => None,
            },
            stopped: matches!(recorded.event, Event::AgentStopped(_)),
        };
        (life, gaps)
    }
}

/// What has arrived of these lives.
pub async fn lives(
    client: &Client,
    lives: &[(TerminalId, Life)],
) -> Result<BTreeMap<(TerminalId, Life), ReceivedLife>, StoreError> {
    let (terminals, ids): (Vec<Uuid>, Vec<Uuid>) = lives.iter().map(|(terminal, life)| (terminal.0, life.0)).unzip();
    let query = "SELECT terminal_id, life, facility_id, seq, observed_at, received, first_received_at, complete_up_to, \
                 stopped FROM life WHERE (terminal_id, life) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))";
    let rows = client.query(query, &[&terminals, &ids]).await.context("read what has arrived of terminals")?;
    Ok(rows.iter().map(|row| ((TerminalId(row.get(0)), Life(row.get(1))), received(row))).collect())
}

fn received(row: &Row) -> ReceivedLife {
    ReceivedLife {
        facility: FacilityId(row.get(2)),
        seq: Seq(row.get::<_, i64>(3).cast_unsigned()),
        observed_at: row.get(4),
        received: row.get::<_, i64>(5).cast_unsigned(),
        first_received_at: row.get(6),
        complete_up_to: row.get(7),
        stopped: row.get(8),
    }
}

/// What is missing in these lives, in no order.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn gaps(client: &Client, lives: &[(TerminalId, Life)]) -> Result<Vec<LifeGap>, StoreError> {
    let (terminals, ids): (Vec<Uuid>, Vec<Uuid>) = lives.iter().map(|(terminal, life)| (terminal.0, life.0)).unzip();
    let query = "SELECT terminal_id, life, seq, hole::text FROM life_gap \
                 WHERE (terminal_id, life) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))";
    let rows = client.query(query, &[&terminals, &ids]).await.context("read what is missing of terminals")?;
    let gap = |row: &Row| {
        Ok(LifeGap {
            terminal: TerminalId(row.get(0)),
            life: Life(row.get(1)),
            seq: Seq(row.get::<_, i64>(2).cast_unsigned()),
            hole: serde_json::from_str(row.get(3)).map_err(broken)?,
        })
    };
    rows.iter().map(gap).collect()
}

fn broken(source: serde_json::Error) -> StoreError {
    StoreError::Broken { what: "a hole of a life", source }
}

/// Writes what has arrived of these lives, and what was found missing.
pub async fn write(
    transaction: &Transaction<'_>,
    lives: &BTreeMap<(TerminalId, Life), ReceivedLife>,
    gaps: &[LifeGap],
) -> Result<(), StoreError> {
    if lives.is_empty() {
        return Ok(());
    }
    let terminals: Vec<Uuid> = lives.keys().map(|(terminal, _)| terminal.0).collect();
    let ids: Vec<Uuid> = lives.keys().map(|(_, life)| life.0).collect();
    let facilities: Vec<Uuid> = lives.values().map(|life| life.facility.0).collect();
    let seqs: Vec<i64> = lives.values().map(|life| life.seq.0.cast_signed()).collect();
    let observed: Vec<DateTime<Utc>> = lives.values().map(|life| life.observed_at).collect();
    let received: Vec<i64> = lives.values().map(|life| life.received.cast_signed()).collect();
    let first: Vec<DateTime<Utc>> = lives.values().map(|life| life.first_received_at).collect();
    let complete: Vec<Option<DateTime<Utc>>> = lives.values().map(|life| life.complete_up_to).collect();
    let stopped: Vec<bool> = lives.values().map(|life| life.stopped).collect();
    let upsert = "INSERT INTO life (terminal_id, life, facility_id, seq, observed_at, received, first_received_at, \
                  complete_up_to, stopped) \
                  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int8[], $5::timestamptz[], $6::int8[], \
                  $7::timestamptz[], $8::timestamptz[], $9::bool[]) \
                  ON CONFLICT (terminal_id, life) DO UPDATE SET seq = EXCLUDED.seq, observed_at = EXCLUDED.observed_at, \
                  received = EXCLUDED.received, complete_up_to = EXCLUDED.complete_up_to, stopped = EXCLUDED.stopped";
    transaction
        .execute(upsert, &[&terminals, &ids, &facilities, &seqs, &observed, &received, &first, &complete, &stopped])
        .await
        .context("write what has arrived of terminals")?;
    if gaps.is_empty() {
        return Ok(());
    }
    let terminals: Vec<Uuid> = gaps.iter().map(|gap| gap.terminal.0).collect();
    let ids: Vec<Uuid> = gaps.iter().map(|gap| gap.life.0).collect();
    let seqs: Vec<i64> = gaps.iter().map(|gap| gap.seq.0.cast_signed()).collect();
    let holes = gaps.iter().map(|gap| serde_json::to_string(&gap.hole)).collect::<Result<Vec<String>, _>>();
    let holes = holes.map_err(broken)?;
    let insert = "INSERT INTO life_gap (terminal_id, life, seq, what, hole) \
                  SELECT terminal_id, life, seq, hole->>'what', hole \
                  FROM (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::text[]::jsonb[])) \
                  AS gap (terminal_id, life, seq, hole) \
                  ON CONFLICT (terminal_id, life, seq, what) DO UPDATE SET hole = EXCLUDED.hole";
    transaction
        .execute(insert, &[&terminals, &ids, &seqs, &holes])
        .await
        .context("write what is missing of terminals")?;
    Ok(())
}

/// What a life goes on with if `first` is its first observation under the present identifier of its terminal.
async fn former(
    transaction: &Transaction<'_>,
    first: &StoredFact,
    observed: &Observed,
) -> Result<Option<ReceivedLife>, StoreError> {
    let query = "SELECT seq, observed_at FROM fact WHERE facility_id = $1 AND life = $2 AND terminal_id <> $3 \
                 AND (partition, log_offset, index_in_record) < ($4, $5, $6) ORDER BY seq DESC, observed_at DESC LIMIT 1";
    let (facility, position) = (first.recorded.facility.0, first.position);
    let row = transaction
        .query_opt(
            query,
            &[
                &facility,
                &observed.life.0,
                &observed.terminal.0,
                &position.partition,
                &position.offset,
                &first.index_in_record,
            ],
        )
        .await
        .context("read what a terminal sent under its former identifier")?;
    let former = row.map(|row| (Seq(row.get::<_, i64>(0).cast_unsigned()), row.get(1)));
    let former = former.filter(|(seq, _)| observed.seq > *seq);
    Ok(former.map(|(seq, at)| ReceivedLife::continued(&first.recorded, seq, at)))
}

/// Computes these lives of a facility again from their facts, of which some were removed.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn recount(
    transaction: &Transaction<'_>,
    facility: FacilityId,
    lives: &BTreeSet<(TerminalId, Life)>,
) -> Result<(), StoreError> {
    let context = "count again what has arrived of a terminal";
    for (terminal, life) in lives {
        for table in ["life", "life_gap"] {
            let delete = format!("DELETE FROM {table} WHERE terminal_id = $1 AND life = $2");
            transaction.execute(&delete, &[&terminal.0, &life.0]).await.context(context)?;
        }
        let query = format!(
            "SELECT {} FROM fact WHERE facility_id = $1 AND terminal_id = $2 AND life = $3 \
             ORDER BY partition, log_offset, index_in_record",
            fact::COLUMNS
        );
        let mut rows = pin!(transaction.query_raw(&query, [facility.0, terminal.0, life.0]).await.context(context)?);
        let (mut received, mut gaps) = (None, Vec::new());
        while let Some(row) = rows.try_next().await.context(context)? {
            let stored = fact::stored_fact(&row)?;
            let Some(observed) = stored.recorded.observed() else { continue };
            if received.is_none() {
                received = former(transaction, &stored, observed).await?;
            }
            if received.as_ref().is_none_or(|before: &ReceivedLife| observed.seq > before.seq) {
                let (after, found) = ReceivedLife::after(received.as_ref(), &stored.recorded, observed);
                received = Some(after);
                gaps.extend(found);
            }
        }
        if let Some(received) = received {
            write(transaction, &BTreeMap::from([((*terminal, *life), received)]), &gaps).await?;
        }
    }
    Ok(())
}
