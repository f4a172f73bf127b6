//! Topics for peers, made as the product makes its own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use yomitori_server::config;
use yomitori_server::log::kafka;

/// As many as the log of a [`World`](crate::world::World) has.
pub const PARTITIONS: i32 = 4;
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Makes `topic`.
///
/// # Errors
/// Where Kafka refuses.
pub async fn create(address: &str, topic: &str) -> Result<()> {
    let (bootstrap_servers, topic) = (address.to_owned(), topic.to_owned());
    let settings = config::Kafka { bootstrap_servers, topic, partitions: PARTITIONS, replication: 1 };
    kafka::create_topic(&settings).await.context("make a topic")
}

/// Gives its disk back, soon.
///
/// # Errors
/// Where Kafka refuses.
pub async fn delete(address: &str, topic: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().context("make an admin client")?;
    let answers = admin.delete_topics(&[topic], &AdminOptions::new()).await.context("delete a topic")?;
    ensure!(answers.iter().all(Result::is_ok), "delete `{topic}`: {answers:?}");
    Ok(())
}

/// The ends of a topic, asked for again and again.
pub struct Ends {
    asker: BaseConsumer,
    topic: String,
}

impl Ends {
    /// # Errors
    /// Where librdkafka refuses the address.
    pub fn of(address: &str, topic: &str) -> Result<Self> {
        let asker = ClientConfig::new().set("bootstrap.servers", address).create().context("make a consumer")?;
        Ok(Self { asker, topic: topic.to_owned() })
    }

    /// The sum of where the partitions end: in a topic that nobody shortens, the number of its records. Blocks.
    ///
    /// # Errors
    /// Where Kafka does not answer.
    pub fn records(&self) -> Result<u64> {
        Ok(self.all()?.into_iter().map(|(_, end)| end.cast_unsigned()).sum())
    }

    /// Where each partition ends. Blocks.
    ///
    /// # Errors
    /// Where Kafka does not answer.
    pub fn all(&self) -> Result<Vec<(i32, i64)>> {
        let end = |partition| {
            let (_, end) = self.asker.fetch_watermarks(&self.topic, partition, PATIENCE).context("ask for an end")?;
            Ok((partition, end))
        };
        (0..PARTITIONS).map(end).collect()
    }
}
