//! The registry of terminals: which terminal may send. A statement about a terminal is written here when the log has it, so
//! that every server learns of it at once, and again when it is folded, so that the registry can be filled from the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;
use yomitori_proto::event::{Event, Origin, Recorded, Stated};
use yomitori_proto::id::{FacilityId, TerminalId};

use super::{QueryContext as _, Store, StoreError, TERMINALS};

/// Whether a terminal may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TerminalState {
    Enrolled,
    /// Not until it is resumed.
    Suspended,
    /// Its certificate is not accepted any more.
    Revoked,
    /// It is no longer used.
    Retired,
}

impl TerminalState {
    const ALL: [Self; 4] = [Self::Enrolled, Self::Suspended, Self::Revoked, Self::Retired];

    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
        }
    }

    /// A word of a newer version lets nothing pass.
    fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.key() == word).unwrap_or(Self::Suspended)
    }
}

/// A terminal of the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisteredTerminal {
    pub terminal: TerminalId,
    pub facility: FacilityId,
    pub state: TerminalState,
    /// By the clock of a server; `None` if it is not known.
    pub enrolled_at: Option<DateTime<Utc>>,
    /// Since when it has this state, by the clock of a server.
    pub changed_at: DateTime<Utc>,
    pub changed_by: String,
    pub reason: Option<String>,
    /// The facility's current code and name.
    pub code: Option<String>,
    pub name: Option<String>,
}

/// The terminal and its state after `event`; `None` if the event is about no terminal's state.
#[must_use]
pub const fn state_after(event: &Event) -> Option<(TerminalId, TerminalState)> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "other events are about something else")]
    match event {
        Event::TerminalEnrolled(event) => Some((event.terminal, TerminalState::Enrolled)),
        Event::TerminalResumed(event) => Some((event.terminal, TerminalState::Enrolled)),
        Event::TerminalSuspended(event) => Some((event.terminal, TerminalState::Suspended)),
        Event::TerminalRevoked(event) => Some((event.terminal, TerminalState::Revoked)),
        Event::TerminalRetired(event) => Some((event.terminal, TerminalState::Retired)),
        _ => None,
    }
}

/// Writes what a fact at `offset` in the partition of its facility says about a terminal's state. Nothing changes by what is
/// older than the last change, or says something about another facility's terminal. A topic that was restored from an older
/// copy has other records at the same offsets: what was stated later counts too.
///
/// # Errors
/// If the database is away.
pub async fn note(client: &impl GenericClient, recorded: &Recorded, offset: i64) -> Result<(), StoreError> {
    let Origin::Person(Stated { by, why, stated_at, id }) = &recorded.origin else { return Ok(()) };
    let context = "write the registry of terminals";
    let changed = if let Event::StatementWithdrawn(withdrawn) = &recorded.event {
        // Only a retirement can be withdrawn: the terminal has the state of before.
        let update = "UPDATE registry.terminal SET state = coalesce(retired_from, 'enrolled'), changed_at = $4, changed_by = $5, reason = $6, \
                      statement_id = $7, log_offset = $3 \
                      WHERE facility_id = $1 AND statement_id = $2 AND state = 'retired' AND (log_offset < $3 OR changed_at < $4)";
        let id = id.map(|id| id.0);
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&recorded.facility.0, &withdrawn.statement.0, &offset, stated_at, by, why, &id];
        client.execute(update, &values).await.context(context)?
    } else {
        let Some((terminal, state)) = state_after(&recorded.event) else { return Ok(()) };
        let upsert = "INSERT INTO registry.terminal AS known (terminal_id, facility_id, state, enrolled_at, changed_at, \
                      changed_by, reason, statement_id, log_offset) \
                      VALUES ($1, $2, $3, CASE WHEN $9 THEN $4::timestamptz END, $4, $5, $6, $7, $8) \
                      ON CONFLICT (terminal_id) DO UPDATE SET state = EXCLUDED.state, \
                      retired_from = CASE WHEN known.state IN ('enrolled', 'suspended') THEN known.state END, \
                      enrolled_at = coalesce(known.enrolled_at, EXCLUDED.enrolled_at), changed_at = EXCLUDED.changed_at, \
                      changed_by = EXCLUDED.changed_by, reason = EXCLUDED.reason, statement_id = EXCLUDED.statement_id, \
                      log_offset = EXCLUDED.log_offset \
                      WHERE known.facility_id = EXCLUDED.facility_id \
                      AND (known.log_offset < EXCLUDED.log_offset OR known.changed_at < EXCLUDED.changed_at)";
        let enrols = matches!(recorded.event, Event::TerminalEnrolled(_));
        let (id, key) = (id.map(|id| id.0), state.key());
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
            [&terminal.0, &recorded.facility.0, &key, stated_at, by, why, &id, &offset, &enrols];
        client.execute(upsert, &values).await.context(context)?
    };
    if changed > 0 {
        let notify = format!("NOTIFY {TERMINALS}");
        client.batch_execute(&notify).await.context(context)?;
    }
    Ok(())
}

/// The terminals that may not send, each with its state.
pub async fn refused(store: &Store) -> Result<BTreeMap<TerminalId, TerminalState>, StoreError> {
    let query = "SELECT terminal_id, state FROM registry.terminal WHERE state <> 'enrolled'";
    let rows = store.client().await?.query(query, &[]).await.context("read the registry of terminals")?;
    Ok(rows.iter().map(|row| (TerminalId(row.get(0)), TerminalState::parse(row.get(1)))).collect())
}

/// One terminal.
pub async fn find(store: &Store, terminal: TerminalId) -> Result<Option<RegisteredTerminal>, StoreError> {
    let query = format!("SELECT {COLUMNS} WHERE t.terminal_id = $1");
    let row = store.client().await?.query_opt(&query, &[&terminal.0]).await.context("look up a terminal")?;
    Ok(row.as_ref().map(registered))
}

/// The terminals of one facility, or all of them, in the order of code and enrolment.
pub async fn all(store: &Store, facility: Option<FacilityId>) -> Result<Vec<RegisteredTerminal>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} WHERE $1::uuid IS NULL OR t.facility_id = $1 \
         ORDER BY f.code, t.facility_id, t.enrolled_at, t.terminal_id"
    );
    let facility = facility.map(|facility| facility.0);
    let rows = store.client().await?.query(&query, &[&facility]).await.context("read the registry of terminals")?;
    Ok(rows.iter().map(registered).collect())
}

const COLUMNS: &str = "t.terminal_id, t.facility_id, t.state, t.enrolled_at, t.changed_at, t.changed_by, t.reason, f.code, f.name \
                       FROM registry.terminal t LEFT JOIN projection.facility f ON f.facility_id = t.facility_id";

fn registered(row: &Row) -> RegisteredTerminal {
    RegisteredTerminal {
        terminal: TerminalId(row.get::<_, Uuid>(0)),
        facility: FacilityId(row.get::<_, Uuid>(1)),
        state: TerminalState::parse(row.get(2)),
        enrolled_at: row.get(3),
        changed_at: row.get(4),
        changed_by: row.get(5),
        reason: row.get(6),
        code: row.get(7),
        name: row.get(8),
    }
}
