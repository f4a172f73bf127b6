//! The world of a test: the real parts, each with its own log, stopped with the test.
//!
//! Every test has its own folder, topic and database, so that tests run concurrently. The folder remains for inspection
//! after a failure; the next `tests/run` removes it.

pub mod agent;
pub mod browser;
pub mod holders;
pub mod kafka;
pub mod line;
pub mod network;
pub mod pcscd;
pub mod port;
pub mod postgres;
pub mod pretence;
pub mod process;
pub mod relay;
pub mod second_broker;
pub mod segment;
pub mod server;
pub mod services;
pub mod wait;
pub mod wire;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use self::kafka::{Kafka, Record};
use self::postgres::Postgres;

/// The build of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Build {
    /// The released build.
    #[default]
    Released,
    /// Kills itself by SIGKILL at the point that `YOMITORI_CRASH=name:n` names.
    CrashPoints,
}

impl Build {
    /// The path of `yomitori-agent` or `yomitori-server`. `tests/run` gives the folder of the released builds in
    /// `YOMITORI_PROGRAMS`, because the agent has a profile of its own.
    #[must_use]
    pub fn program(self, program: &str) -> PathBuf {
        let given = std::env::var_os("YOMITORI_PROGRAMS").map(PathBuf::from);
        let folder = match self {
            Self::Released => given.unwrap_or_else(|| services::target().join("release")),
            Self::CrashPoints => {
                return services::target().join("release").join(program.replace("yomitori-", "crashing-"));
            }
        };
        folder.join(program)
    }
}

/// A test's surroundings.
#[derive(Debug)]
pub struct World {
    folder: PathBuf,
    pub kafka: Kafka,
    pub postgres: Postgres,
    /// The log of this world.
    pub topic: String,
    /// The URL of this world's database.
    pub database: String,
}

impl World {
    /// A world on the Kafka and the PostgreSQL that all tests share; `test` names the folder.
    ///
    /// # Errors
    /// If the services are not there.
    pub async fn new(test: &str) -> Result<Self> {
        let folder = folder(test)?;
        Self::on(folder, Kafka::shared()?, Postgres::shared()?).await
    }

    /// A world with a Kafka and a PostgreSQL that the test may stop and kill.
    ///
    /// # Errors
    /// If the services don't start.
    pub async fn with_own_services(test: &str) -> Result<Self> {
        let folder = folder(test)?;
        let (kafka, postgres) = tokio::try_join!(Kafka::start(&folder), Postgres::start(&folder))?;
        Self::on(folder, kafka, postgres).await
    }

    async fn on(folder: PathBuf, kafka: Kafka, postgres: Postgres) -> Result<Self> {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let database = postgres.database(&name).await?;
        Ok(Self { folder, kafka, postgres, topic: name, database })
    }

    /// The test's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new folder `name` in it.
    ///
    /// # Errors
    /// If it can't be created.
    pub fn new_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {folder:?}"))?;
        Ok(folder)
    }

    /// All records of this world's log, from offset 0 to the current end.
    ///
    /// # Errors
    /// If Kafka doesn't answer.
    pub async fn records(&self) -> Result<Vec<Record>> {
        self.kafka.records(&self.topic).await
    }

    /// A connection to this world's database.
    ///
    /// # Errors
    /// If PostgreSQL doesn't answer.
    pub async fn store(&self) -> Result<tokio_postgres::Client> {
        postgres::connect(&self.database).await
    }

    /// Waits until the database has this number of facilities: an import answers "accepted" if the projection takes longer
    /// than a person waits, and the last facility of a table is not the last one folded.
    ///
    /// # Errors
    /// If it has not after a while.
    pub async fn has_facilities(&self, count: usize) -> Result<()> {
        let store = self.store().await?;
        wait::until("the facilities", wait::PATIENCE, async || {
            let found: i64 = store.query_one("SELECT count(*) FROM projection.facility_row", &[]).await?.get(0);
            ensure!(usize::try_from(found)? == count, "{found} of {count}");
            Ok(())
        })
        .await
    }
}

fn folder(test: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{test}-{}-{count}", std::process::id());
    let folder = services::root().join("target/tests/worlds").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {folder:?}"))?;
    Ok(folder)
}
