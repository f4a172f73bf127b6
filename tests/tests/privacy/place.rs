//! The places that a secret could reach, each as bytes to search.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::task::AbortHandle;
use tokio_postgres::SimpleQueryMessage;
use yomitori_tests::world::World;
use yomitori_tests::world::server::Server;

use crate::secret::Search;

/// All bytes of one place.
pub(crate) struct Place {
    pub(crate) what: String,
    pub(crate) hay: Vec<u8>,
}

impl Place {
    pub(crate) fn new(what: impl Into<String>, hay: Vec<u8>) -> Self {
        Self { what: what.into(), hay }
    }

    /// Every file in `folder` and below, with its name.
    pub(crate) fn folder(what: &str, folder: &Path) -> Result<Self> {
        let mut hay = Vec::new();
        for entry in std::fs::read_dir(folder).with_context(|| format!("list {folder:?}"))? {
            let entry = entry?;
            hay.extend(entry.file_name().as_encoded_bytes());
            hay.push(0);
            if entry.file_type()?.is_dir() {
                hay.extend(Self::folder(what, &entry.path())?.hay);
            } else {
                hay.extend(std::fs::read(entry.path()).with_context(|| format!("read {:?}", entry.path()))?);
            }
        }
        Ok(Self::new(what, hay))
    }

    /// A description of the secrets that are here.
    pub(crate) fn leaks(&self, search: &Search<'_>) -> Option<String> {
        let found = search.found(&self.hay);
        (!found.is_empty()).then(|| format!("{}: {found:?}", self.what))
    }
}

/// The events that an open page receives, as long as the server runs.
pub(crate) struct PageEvents {
    heard: Arc<Mutex<Vec<u8>>>,
    listening: AbortHandle,
}

impl PageEvents {
    pub(crate) async fn by(server: &Server) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut answer = client.get(format!("{}/events", server.web)).send().await?.error_for_status()?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        let listening = tokio::spawn(async move {
            while let Ok(Some(bytes)) = answer.chunk().await {
                hearing.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes);
            }
        });
        Ok(Self { heard, listening: listening.abort_handle() })
    }

    pub(crate) fn place(&self) -> Place {
        Place::new("/events", self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Drop for PageEvents {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Everything that the server and its services store or show.
pub(crate) async fn of_server(world: &World, server: &Server, code: &str) -> Result<Vec<Place>> {
    let records = world.records().await?.into_iter().flat_map(|record| [record.key, record.value].concat());
    let mut places = vec![
        Place::new("Kafka", records.collect()),
        Place::new("PostgreSQL", dump(world).await?),
        Place::new("the server's log", server.log().into_bytes()),
        Place::new("what `status` says", server.run(&["status", "--format", "json"]).await?.into_bytes()),
    ];
    let one = format!("/facilities/{code}");
    let english = format!("{one}?lang=en");
    let api = format!("/api/v1{one}");
    for path in ["/", &one, &english, "/facilities.csv", "/api/v1/facilities", &api, "/metrics"] {
        let answer = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(10)).build()?;
        let answer = answer.get(format!("{}{path}", server.web)).send().await?.error_for_status()?;
        let mut hay = format!("{:?}", answer.headers()).into_bytes();
        hay.extend(answer.bytes().await?);
        places.push(Place::new(path, hay));
    }
    Ok(places)
}

/// Every row of every table, as text.
async fn dump(world: &World) -> Result<Vec<u8>> {
    let store = world.store().await?;
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
                  WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let mut hay = Vec::new();
    for table in store.query(tables, &[]).await.context("list the tables")? {
        let table: String = table.get(0);
        let rows = store.simple_query(&format!("SELECT t::text FROM {table} t")).await.context("read a table")?;
        for row in rows {
            if let SimpleQueryMessage::Row(row) = row {
                hay.extend(row.get(0).unwrap_or_default().bytes());
                hay.push(b'\n');
            }
        }
    }
    Ok(hay)
}
