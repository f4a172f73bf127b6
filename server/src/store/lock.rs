//! Advisory locks that divide the work between instances of the server. The end of a connection frees its locks.

use tokio_postgres::{Client, Transaction};

use super::{QueryContext as _, Store, StoreError};

/// The first half of a partition's lock, so that it collides with no other lock.
const PARTITIONS: i32 = 0x596f_6d69;
/// The second half of the lock that all instances share: its holders show how many instances there are.
const PRESENT: i32 = -1;

async fn connect(store: &Store) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = store.connect(|_| {}).await?;
    // The next use of the client reports the end of the connection.
    tokio::spawn(connection);
    Ok(client)
}

/// How many servers run on this database: those that project, or those with a lease if these are more. One that was killed
/// keeps its lease for ten seconds.
pub async fn running_servers(store: &Store) -> Result<i64, StoreError> {
    let context = "count the servers that run";
    let client = store.client().await?;
    let project = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                   AND classid::int8 = $1 AND objid::int8 = $2";
    let (class, object) = (i64::from(PARTITIONS.cast_unsigned()), i64::from(PRESENT.cast_unsigned()));
    let project: i64 = client.query_one(project, &[&class, &object]).await.context(context)?.get(0);
    let has_leases = "SELECT to_regclass('registry.lease') IS NOT NULL";
    if !client.query_one(has_leases, &[]).await.context(context)?.get::<_, bool>(0) {
        return Ok(project);
    }
    let leases = "SELECT count(*) FROM registry.lease WHERE expires_at > now()";
    Ok(project.max(client.query_one(leases, &[]).await.context(context)?.get(0)))
}

/// A lock that one process holds alone until this value is dropped.
#[derive(Debug)]
pub struct ExclusiveLock {
    _client: Client,
}

impl ExclusiveLock {
    /// Takes the lock with this number; `None` if another process has it.
    pub async fn take(store: &Store, number: i64) -> Result<Option<Self>, tokio_postgres::Error> {
        let client = connect(store).await?;
        let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&number]).await?;
        Ok(row.get::<_, bool>(0).then_some(Self { _client: client }))
    }
}

/// The locks of the partitions that one instance projects.
#[derive(Debug)]
pub struct PartitionLocks {
    client: Client,
    /// The process number of the connection in the database.
    session: i32,
}

/// The number of instances, and of those that came before this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instances {
    pub all: i64,
    pub before: i64,
}

impl PartitionLocks {
    /// Joins the instances that share the partitions, without waiting.
    pub async fn join(store: &Store) -> Result<Self, tokio_postgres::Error> {
        let client = connect(store).await?;
        client.execute("SELECT pg_advisory_lock_shared($1, $2)", &[&PARTITIONS, &PRESENT]).await?;
        let session = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
        Ok(Self { client, session })
    }

    /// Tries to acquire `partition`; returns whether it did.
    pub async fn take(&self, partition: i32) -> Result<bool, tokio_postgres::Error> {
        let lock = "SELECT pg_try_advisory_lock($1, $2)";
        Ok(self.client.query_one(lock, &[&PARTITIONS, &partition]).await?.get(0))
    }

    /// Releases `partition`.
    pub async fn release(&self, partition: i32) -> Result<(), tokio_postgres::Error> {
        self.client.execute("SELECT pg_advisory_unlock($1, $2)", &[&PARTITIONS, &partition]).await.map(drop)
    }

    /// Whether the connection has ended, which frees every lock.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether this instance holds the lock of `partition`, according to the database.
    pub async fn holds(&self, transaction: &Transaction<'_>, partition: i32) -> Result<bool, tokio_postgres::Error> {
        let query = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = $1 \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                     AND classid::int8 = $2 AND objid::int8 = $3)";
        let (class, object) = (i64::from(PARTITIONS.cast_unsigned()), i64::from(partition));
        Ok(transaction.query_one(query, &[&self.session, &class, &object]).await?.get(0))
    }

    /// The instances that share the partitions, this one included.
    pub async fn instances(&self) -> Result<Instances, tokio_postgres::Error> {
        let query = "SELECT count(DISTINCT pid), count(DISTINCT pid) FILTER (WHERE pid < $3) FROM pg_locks \
                     WHERE locktype = 'advisory' AND granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                     AND classid::int8 = $1 AND objid::int8 = $2";
        let (class, object) = (i64::from(PARTITIONS.cast_unsigned()), i64::from(PRESENT.cast_unsigned()));
        let row = self.client.query_one(query, &[&class, &object, &self.session]).await?;
        Ok(Instances { all: row.get(0), before: row.get(1) })
    }
}
