//! PostgreSQL: the cluster that all tests share, or a test's own, which it may stop, kill and start again.

use std::path::Path;

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls};

use super::services::Service;

/// A cluster.
#[derive(Debug)]
pub struct Postgres {
    /// The superuser's URL, with the database `postgres`.
    pub url: String,
    /// Stops, kills and restarts the cluster.
    pub service: Service,
}

impl Postgres {
    /// The cluster that `tests/run` started. A test uses only its own databases.
    ///
    /// # Errors
    /// If `YOMITORI_POSTGRES` is not set.
    pub fn shared() -> Result<Self> {
        Ok(Self::on(Service::shared("YOMITORI_POSTGRES")?))
    }

    /// A cluster of the test's own under `folder`; takes about a second.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn start(folder: &Path) -> Result<Self> {
        Ok(Self::on(Service::start(folder, "postgres", "YOMITORI_POSTGRES").await?))
    }

    fn on(service: Service) -> Self {
        Self { url: service.address().to_owned(), service }
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Errors
    /// If there is one of that name already.
    pub async fn database(&self, name: &str) -> Result<String> {
        let client = connect(&self.url).await?;
        client.batch_execute(&format!("CREATE DATABASE \"{name}\"")).await.context("create the database")?;
        let (server, _) = self.url.rsplit_once('/').context("a database in the URL")?;
        Ok(format!("{server}/{name}"))
    }
}

/// A connection of the test's own. It ends with the client.
///
/// # Errors
/// If the database doesn't answer.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connect to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
}
