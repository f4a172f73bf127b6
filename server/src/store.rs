//! PostgreSQL: what follows from the log (`projection`) and what only this database knows (`registry`).
//!
//! The projector names its tables without a schema: the search path of the connection decides whether it writes the
//! live generation or the one that is built beside it. Readers name `projection` or `analytics`.
//!
//! One noun per file. This module never reads the log and never draws a page. Every function fails if the database
//! is away; a `# Errors` section names only what else can fail.

pub mod announcement;
pub mod authority;
pub mod call;
pub mod completeness;
pub mod connection;
pub mod directory;
mod encryption;
pub mod facility;
pub mod fact;
pub mod fleet;
pub mod generation;
pub mod heard;
pub mod installation;
pub mod lease;
pub mod lent;
pub mod limit;
pub mod listing;
pub mod lock;
pub mod parked;
pub mod past;
pub mod pause;
pub mod policy;
pub mod progress;
pub mod received;
pub mod repetition;
pub mod snapshot;
pub mod status_history;
pub mod status_row;
pub mod status_shown;
pub mod terminal;
pub mod token;
pub mod waiting;

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::encryption::EncryptionError;
use self::lent::Lent;
use crate::config::Database;

/// The channel on which a commit names the facilities that changed.
pub const CHANGED: &str = "yomitori_changed";

/// The channel that announces a change of the registry of terminals.
pub const TERMINALS: &str = "yomitori_terminals";

/// How long to wait for a connection before the database counts as away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The connections of a pool for ingest and projection, or for a rebuild.
const CONNECTIONS: usize = 16;

/// How long PostgreSQL may leave unconfirmed what was sent.
const VANISHED_AFTER: Duration = Duration::from_secs(15);

/// The search path for the live generation.
const LIVE: &str = "projection,public";

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Why a query or a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("invalid database address (write postgres://USER@HOST:PORT/DATABASE)")]
    Address(#[source] tokio_postgres::Error),
    #[error("failed to prepare TLS to PostgreSQL")]
    Encryption(#[source] EncryptionError),
    #[error("failed to reach PostgreSQL (is it running, and is `database.url` right?)")]
    Unreachable(#[source] deadpool_postgres::PoolError),
    #[error("failed to prepare the database connections")]
    Pool(#[source] deadpool_postgres::BuildError),
    #[error("failed to {context}")]
    Query { context: &'static str, source: QueryError },
    #[error("failed to decode a stored document: {what}")]
    Broken { what: &'static str, source: serde_json::Error },
    #[error("failed to compute a facility's status: panicked")]
    Panicked,
    #[error("failed to migrate the database")]
    Migrate(#[source] refinery::Error),
    #[error("the database has schema version {found}, and this program needs {needed} (run `yomitori-server migrate`)")]
    Schema { found: u32, needed: u32 },
    #[error(
        "the database has schema version {found} of a newer program, and this program knows {needed} (run the newer \
         program)"
    )]
    NewerSchema { found: u32, needed: u32 },
}

/// An error of PostgreSQL without its details: those may hold a row, and so what a person wrote.
#[derive(Debug)]
pub struct QueryError(tokio_postgres::Error);

impl From<tokio_postgres::Error> for QueryError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_db_error() {
            Some(error) => write!(f, "{}: {} (SQLSTATE {})", error.severity(), error.message(), error.code().code()),
            None => self.0.fmt(f),
        }
    }
}

impl std::error::Error for QueryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The cause of an error of the database is that error itself.
        if self.0.as_db_error().is_some() { None } else { self.0.source() }
    }
}

impl StoreError {
    /// Whether PostgreSQL can't hold what it was given, so that trying again is of no use: a value out of range, a broken
    /// constraint, an index row beyond its size, or a value that could not be computed or encoded.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Query { source: QueryError(source), .. } => match source.code() {
                Some(code) => REFUSALS.iter().any(|class| code.code().starts_with(class)),
                // Of the errors without a code, those of the connection are closed or have an I/O error as their cause.
                None => {
                    let cause = std::error::Error::source(source);
                    !source.is_closed() && cause.is_some_and(|cause| !cause.is::<std::io::Error>())
                }
            },
            Self::Broken { .. } | Self::Panicked => true,
            Self::Address(_)
            | Self::Encryption(_)
            | Self::Unreachable(_)
            | Self::Pool(_)
            | Self::Migrate(_)
            | Self::Schema { .. }
            | Self::NewerSchema { .. } => false,
        }
    }
}

/// SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded.
const REFUSALS: [&str; 3] = ["22", "23", "54"];

/// Names the purpose of a query, for its error.
pub(crate) trait QueryContext<T> {
    fn context(self, context: &'static str) -> Result<T, StoreError>;
}

impl<T> QueryContext<T> for Result<T, tokio_postgres::Error> {
    fn context(self, context: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Query { context, source: QueryError(source) })
    }
}

/// The other half of a client outside the pool: it does its I/O.
pub(crate) type OwnConnection = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// A pool of connections.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    address: tokio_postgres::Config,
    /// The address without a search path.
    given: tokio_postgres::Config,
    tls: MakeRustlsConnect,
}

impl Store {
    /// Prepares a pool; the first use opens a connection.
    ///
    /// # Errors
    /// If the address or the authority of its certificate is not valid.
    pub fn open(Database { url, ca_file }: &Database) -> Result<Self, StoreError> {
        let mut address: tokio_postgres::Config = url.parse().map_err(StoreError::Address)?;
        let (mode, tls) = encryption::encryption(ca_file.as_deref()).map_err(StoreError::Encryption)?;
        address
            .ssl_mode(mode)
            .application_name("yomitori-server")
            .connect_timeout(CONNECT_LIMIT)
            // A database host that vanished is noticed within seconds, not by the operating system after hours.
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3)
            .tcp_user_timeout(VANISHED_AFTER);
        Self::at(address, tls, LIVE, CONNECTIONS, None)
    }

    /// The same database for pages, in a pool of its own: a query ends after `limit`, and what pages wait for holds up
    /// neither the projection nor terminals.
    ///
    /// # Errors
    /// If the pool cannot be created.
    pub fn for_pages(&self, limit: Duration, connections: usize) -> Result<Self, StoreError> {
        Self::at(self.given.clone(), self.tls.clone(), LIVE, connections, Some(limit))
    }

    /// The same database with the search path of a rebuild.
    ///
    /// # Errors
    /// If the pool cannot be created.
    pub fn shadow(&self) -> Result<Self, StoreError> {
        Self::at(self.given.clone(), self.tls.clone(), "shadow,projection,public", CONNECTIONS, None)
    }

    fn at(
        given: tokio_postgres::Config,
        tls: MakeRustlsConnect,
        path: &str,
        connections: usize,
        limit: Option<Duration>,
    ) -> Result<Self, StoreError> {
        let mut address = given.clone();
        // A machine that vanished must not hold its locks for hours: the database probes it from the fifth second.
        let mut ours = format!(
            "-c search_path={path} -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
        );
        if let Some(limit) = limit {
            let ms = limit.as_millis();
            ours += &format!(" -c statement_timeout={ms} -c idle_in_transaction_session_timeout={ms}");
        }
        let options = given.get_options().map_or_else(|| ours.clone(), |options| format!("{options} {ours}"));
        address.options(options);
        // The query of a page that is gone may still run: the next page must not send another one behind it.
        let recycling_method = if limit.is_some() { RecyclingMethod::Verified } else { RecyclingMethod::Fast };
        let manager = Manager::from_config(address.clone(), tls.clone(), ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_LIMIT))
            .create_timeout(Some(CONNECT_LIMIT))
            .recycle_timeout(Some(CONNECT_LIMIT))
            .build()
            .map_err(StoreError::Pool)?;
        Ok(Self { pool, address, given, tls })
    }

    /// Takes a connection from the pool.
    pub async fn client(&self) -> Result<Lent, StoreError> {
        let object = self.pool.get().await.map_err(StoreError::Unreachable)?;
        Ok(Lent::new(object, self.tls.clone()))
    }

    /// Opens a connection outside the pool, for session locks, snapshots and listening; `adapt` changes its configuration.
    ///
    /// # Errors
    /// If the database is away.
    pub(crate) async fn connect(
        &self,
        adapt: impl FnOnce(&mut tokio_postgres::Config),
    ) -> Result<(Client, OwnConnection), tokio_postgres::Error> {
        let mut address = self.address.clone();
        adapt(&mut address);
        address.connect(self.tls.clone()).await
    }

    /// Whether what is sent to the database leaves this machine in clear.
    #[must_use]
    pub fn is_in_clear(&self) -> bool {
        self.address.get_ssl_mode() == SslMode::Disable && encryption::leaves_this_machine(&self.address)
    }

    /// Migrates the schema to this version; returns the migrations that ran.
    ///
    /// # Errors
    /// If a migration fails.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut client = self.client().await?;
        // Two servers that start together must not migrate at the same time.
        client
            .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
            .await
            .context("wait for the migration lock")?;
        // The history of migrations is in the schema of a connection without a search path.
        client.execute("SET search_path = public", &[]).await.context("begin the migration")?;
        let report = migrations::migrations::runner().run_async(&mut **client).await.map_err(StoreError::Migrate);
        client.execute("RESET search_path", &[]).await.context("end the migration")?;
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await.context("end the migration")?;
        Ok(report?.applied_migrations().iter().map(ToString::to_string).collect())
    }

    /// Checks that the schema has the version of this program.
    ///
    /// # Errors
    /// If the schema has another version.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let needed = migrations::migrations::runner()
            .get_migrations()
            .iter()
            .map(|m| u32::try_from(m.version()).unwrap_or(0))
            .max()
            .unwrap_or(0);
        let client = self.client().await?;
        let there = "SELECT to_regclass('public.refinery_schema_history') IS NOT NULL";
        let there: bool = client.query_one(there, &[]).await.context("look for the schema")?.get(0);
        let found = if there {
            let version = "SELECT coalesce(max(version), 0)::int8 FROM public.refinery_schema_history";
            let version: i64 = client.query_one(version, &[]).await.context("read the schema version")?.get(0);
            u32::try_from(version).unwrap_or(0)
        } else {
            0
        };
        match found.cmp(&needed) {
            Ordering::Equal => Ok(()),
            Ordering::Less => Err(StoreError::Schema { found, needed }),
            Ordering::Greater => Err(StoreError::NewerSchema { found, needed }),
        }
    }
}

const MIGRATION_LOCK: i64 = 0x596f_6d69_0001;
