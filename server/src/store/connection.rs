//! The open streams, according to the log.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use uuid::Uuid;
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::{FacilityId, Instance, Session, TerminalId};

use super::{QueryContext as _, Store, StoreError};

/// An open stream of a lost server instance.
#[derive(Clone, Copy, Debug)]
pub struct OrphanStream {
    pub terminal: TerminalId,
    pub facility: FacilityId,
    pub session: Session,
}

/// Connected and disconnected terminals, in the order of the log; all are written in one step.
#[derive(Default)]
pub struct ConnectionChanges {
    opened: BTreeMap<TerminalId, OpenStream>,
    /// Disconnected in the session in which they connected: any stored connection is over.
    gone: BTreeSet<TerminalId>,
    /// Disconnected in a session whose begin is not in this batch.
    closed: BTreeSet<(TerminalId, Session)>,
}

struct OpenStream {
    facility: FacilityId,
    session: Session,
    instance: Uuid,
    at: DateTime<Utc>,
}

impl ConnectionChanges {
    /// Adds a connection or disconnection; any other fact has no effect.
    pub fn take(&mut self, recorded: &Recorded) {
        let Origin::Server { instance, stated_at } = &recorded.origin else { return };
        if let Event::TerminalConnected(connected) = &recorded.event {
            let opened = OpenStream {
                facility: recorded.facility,
                session: connected.session,
                instance: instance.0,
                at: *stated_at,
            };
            self.opened.insert(connected.terminal, opened);
        } else if let Event::TerminalDisconnected(left) = &recorded.event {
            if self.opened.get(&left.terminal).is_some_and(|opened| opened.session == left.session) {
                self.opened.remove(&left.terminal);
                self.gone.insert(left.terminal);
            } else {
                self.closed.insert((left.terminal, left.session));
            }
        }
    }

    /// Writes the changes.
    pub async fn write(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        if !self.gone.is_empty() {
            let gone: Vec<Uuid> = self.gone.iter().map(|terminal| terminal.0).collect();
            let delete = "DELETE FROM connection WHERE terminal_id = ANY($1)";
            transaction.execute(delete, &[&gone]).await.context("record disconnected terminals")?;
        }
        if !self.closed.is_empty() {
            let (terminals, sessions): (Vec<Uuid>, Vec<Uuid>) =
                self.closed.iter().map(|(terminal, session)| (terminal.0, session.0)).unzip();
            let delete = "DELETE FROM connection c USING unnest($1::uuid[], $2::uuid[]) AS l (terminal_id, session) \
                          WHERE c.terminal_id = l.terminal_id AND c.session = l.session";
            transaction.execute(delete, &[&terminals, &sessions]).await.context("record disconnected terminals")?;
        }
        if !self.opened.is_empty() {
            let opened = || self.opened.values();
            let terminals: Vec<Uuid> = self.opened.keys().map(|terminal| terminal.0).collect();
            let facilities: Vec<Uuid> = opened().map(|o| o.facility.0).collect();
            let sessions: Vec<Uuid> = opened().map(|o| o.session.0).collect();
            let instances: Vec<Uuid> = opened().map(|o| o.instance).collect();
            let at: Vec<DateTime<Utc>> = opened().map(|o| o.at).collect();
            let upsert = "INSERT INTO connection (terminal_id, facility_id, session, instance, connected_at) \
                          SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[]) \
                          ON CONFLICT (terminal_id) DO UPDATE SET facility_id = EXCLUDED.facility_id, \
                          session = EXCLUDED.session, instance = EXCLUDED.instance, connected_at = EXCLUDED.connected_at";
            transaction
                .execute(upsert, &[&terminals, &facilities, &sessions, &instances, &at])
                .await
                .context("record connected terminals")?;
        }
        Ok(())
    }
}

/// The streams of instances that no longer hold a lease. None if the instance that asks has not held one itself for at
/// least `held_for`: the others may have lost theirs for the same reason.
pub async fn orphans(
    store: &Store,
    asking: Instance,
    held_for: Duration,
    limit: i64,
) -> Result<Vec<OrphanStream>, StoreError> {
    let query = "SELECT c.terminal_id, c.facility_id, c.session FROM projection.connection c \
                 LEFT JOIN registry.lease l ON l.instance = c.instance AND l.expires_at > now() \
                 WHERE l.instance IS NULL \
                 AND EXISTS (SELECT FROM registry.lease WHERE instance = $1 AND expires_at > now() \
                             AND held_since <= now() - $2 * interval '1 second') \
                 ORDER BY c.connected_at LIMIT $3";
    let client = store.client().await?;
    let rows = client.query(query, &[&asking.0, &held_for.as_secs_f64(), &limit]).await;
    let rows = rows.context("read streams of lost instances")?;
    let orphan = |row: tokio_postgres::Row| OrphanStream {
        terminal: TerminalId(row.get(0)),
        facility: FacilityId(row.get(1)),
        session: Session(row.get(2)),
    };
    Ok(rows.into_iter().map(orphan).collect())
}

/// Those of these terminals that are connected, by any stream.
pub async fn connected(store: &Store, terminals: &[TerminalId]) -> Result<HashSet<TerminalId>, StoreError> {
    let ids: Vec<Uuid> = terminals.iter().map(|terminal| terminal.0).collect();
    let query = "SELECT terminal_id FROM projection.connection WHERE terminal_id = ANY($1)";
    let rows = store.client().await?.query(query, &[&ids]).await.context("read connected terminals")?;
    Ok(rows.into_iter().map(|row| TerminalId(row.get(0))).collect())
}
