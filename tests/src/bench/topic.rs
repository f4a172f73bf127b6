//! Topics for peers, created like the product's own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use yomitori_server::config;
use yomitori_server::log::topic;

/// The number of partitions of a [`World`](crate::world::World)'s log.
pub const PARTITIONS: i32 = 4;
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Creates `topic`.
///
/// # Errors
/// If Kafka refuses.
pub async fn create(address: &str, topic: &str) -> Result<()> {
    let (bootstrap_servers, topic) = (address.to_owned(), topic.to_owned());
    let settings = config::Kafka { bootstrap_servers, topic, partitions: PARTITIONS, replication: 1 };
    topic::create(&settings).await.map(drop).context("make a topic")
}

/// Deletes `topic`, so that the broker frees its disk soon.
///
/// # Errors
/// If Kafka refuses.
pub async fn delete(address: &str, topic: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().context("make an admin client")?;
    let answers = admin.delete_topics(&[topic], &AdminOptions::new()).await.context("delete a topic")?;
    ensure!(answers.iter().all(Result::is_ok), "delete `{topic}`: {answers:?}");
    Ok(())
}

/// The end offsets of a topic, for repeated reading.
pub struct Ends {
    asker: BaseConsumer,
    topic: String,
}

impl Ends {
    /// # Errors
    /// If librdkafka rejects the address.
    pub fn of(address: &str, topic: &str) -> Result<Self> {
        let asker = ClientConfig::new().set("bootstrap.servers", address).create().context("make a consumer")?;
        Ok(Self { asker, topic: topic.to_owned() })
    }

    /// The sum of the partitions' end offsets: the number of records in a topic that is never truncated. Blocks.
    ///
    /// # Errors
    /// If Kafka does not answer.
    pub fn records(&self) -> Result<u64> {
        Ok(self.all()?.into_iter().map(|(_, end)| end.cast_unsigned()).sum())
    }

    /// The end offset of each partition. Blocks.
    ///
    /// # Errors
    /// If Kafka does not answer.
    pub fn all(&self) -> Result<Vec<(i32, i64)>> {
        let end = |partition| {
            let (_, end) = self.asker.fetch_watermarks(&self.topic, partition, PATIENCE).context("ask for an end")?;
            Ok((partition, end))
        };
        (0..PARTITIONS).map(end).collect()
    }
}
