//! Streams that are open as far as the log says.

use tokio_postgres::Transaction;
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::{FacilityId, Session, TerminalId};

use super::{Doing as _, Store, StoreError};

/// An open stream whose server instance is gone.
#[derive(Clone, Copy, Debug)]
pub struct Orphan {
    pub terminal: TerminalId,
    pub facility: FacilityId,
    pub session: Session,
}

/// Follows a terminal's coming and going; any other fact changes nothing.
///
/// # Errors
/// Where the database is away.
pub async fn follow(transaction: &Transaction<'_>, recorded: &Recorded) -> Result<(), StoreError> {
    let Origin::Server { instance, stated_at } = &recorded.origin else { return Ok(()) };
    if let Event::TerminalConnected(connected) = &recorded.event {
        let upsert = "INSERT INTO projection.connection (terminal_id, facility_id, session, instance, connected_at) \
                      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (terminal_id) DO UPDATE \
                      SET facility_id = $2, session = $3, instance = $4, connected_at = $5";
        let session = connected.session.0;
        transaction
            .execute(upsert, &[&connected.terminal.0, &recorded.facility.0, &session, &instance.0, stated_at])
            .await
            .doing("note a connected terminal")?;
    } else if let Event::TerminalDisconnected(gone) = &recorded.event {
        let delete = "DELETE FROM projection.connection WHERE terminal_id = $1 AND session = $2";
        transaction.execute(delete, &[&gone.terminal.0, &gone.session.0]).await.doing("note a terminal that left")?;
    }
    Ok(())
}

/// Streams of instances that hold no lease any more.
///
/// # Errors
/// Where the database is away.
pub async fn orphans(store: &Store, limit: i64) -> Result<Vec<Orphan>, StoreError> {
    let query = "SELECT c.terminal_id, c.facility_id, c.session FROM projection.connection c \
                 LEFT JOIN registry.lease l ON l.instance = c.instance AND l.expires_at > now() \
                 WHERE l.instance IS NULL ORDER BY c.connected_at LIMIT $1";
    let rows = store.client().await?.query(query, &[&limit]).await.doing("look for streams of lost instances")?;
    let orphan = |row: tokio_postgres::Row| Orphan {
        terminal: TerminalId(row.get(0)),
        facility: FacilityId(row.get(1)),
        session: Session(row.get(2)),
    };
    Ok(rows.into_iter().map(orphan).collect())
}
