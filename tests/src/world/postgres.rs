//! PostgreSQL: the cluster that all tests share, or a test's own, which it may stop, kill and start again.

use std::path::Path;

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls};

use super::services::{Own, given};

/// A cluster.
#[derive(Debug)]
pub struct Postgres {
    /// Of the superuser, at the database `postgres`.
    pub url: String,
    own: Option<Own>,
}

impl Postgres {
    /// The one that `tests/run` started. A test keeps to databases of its own.
    ///
    /// # Errors
    /// When `YOMITORI_POSTGRES` is not set.
    pub fn shared() -> Result<Self> {
        Ok(Self { url: given("YOMITORI_POSTGRES")?, own: None })
    }

    /// A cluster of the test's own under `folder`; takes about a second.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn start(folder: &Path) -> Result<Self> {
        let own = Own::start(folder, "postgres").await?;
        Ok(Self { url: own.address("YOMITORI_POSTGRES")?, own: Some(own) })
    }

    /// Stops it in order; open connections end.
    ///
    /// # Errors
    /// When it doesn't end, or is the shared one.
    pub async fn stop(&self) -> Result<()> {
        self.own()?.run("stop").await
    }

    /// `kill -9` of its first process; the others follow.
    ///
    /// # Errors
    /// When it is gone already, or is the shared one.
    pub async fn kill(&self) -> Result<()> {
        self.own()?.kill().await
    }

    /// Starts it again with the same data and port.
    ///
    /// # Errors
    /// When it doesn't come up, or is the shared one.
    pub async fn restart(&self) -> Result<()> {
        self.own()?.run("start").await
    }

    fn own(&self) -> Result<&Own> {
        self.own.as_ref().context("the shared PostgreSQL stays up: a test that stops it has one of its own")
    }

    /// Makes an empty database and gives its URL.
    ///
    /// # Errors
    /// When there is one of that name already.
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
/// When the database doesn't answer.
pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connect to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
}
