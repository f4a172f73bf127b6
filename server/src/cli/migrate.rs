//! `migrate`: prepares the database, the log's topic and the certificate authority.

use anyhow::bail;

use super::output::{say, warn};
use crate::config::Config;
use crate::identity::Authority;
use crate::log::topic::{self, TopicOrigin};
use crate::store::{Store, progress};

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server migrate
  yomitori-server migrate --existing-log   # the database was lost, and the topic is this installation's own";

#[derive(clap::Args)]
pub(super) struct MigrateArguments {
    /// Fold a topic that already has records into this empty database: the topic is this installation's own, and its
    /// database was lost
    #[arg(long)]
    existing_log: bool,
}

pub(super) async fn run(config: &Config, arguments: &MigrateArguments) -> anyhow::Result<()> {
    let store = Store::open(&config.database)?;
    let applied = store.migrate().await?;
    for migration in &applied {
        say(&format!("database: applied {migration}"));
    }
    if applied.is_empty() {
        say("database: up to date");
    }
    let topic = &config.kafka.topic;
    let is_new = progress::all(&store).await?.iter().all(|progress| progress.next.offset == 0);
    match topic::create(&config.kafka).await? {
        TopicOrigin::Created => say(&format!("log: created topic `{topic}`")),
        TopicOrigin::Found { records: 0 } => say(&format!("log: found topic `{topic}`, without records")),
        TopicOrigin::Found { records } if is_new && !arguments.existing_log => bail!(
            "topic `{topic}` already has {records} records, and this database has folded none: they are of another installation, \
             or of this one before it lost its database. If they are its own, run `yomitori-server migrate --existing-log`; \
             otherwise set another `kafka.topic`"
        ),
        TopicOrigin::Found { records } => say(&format!("log: found topic `{topic}`, with {records} records")),
    }
    let problems = topic::problems(&config.kafka).await?;
    let (losing, risky): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.loses_facts);
    if !losing.is_empty() {
        bail!("{}", topic::report(&config.kafka, losing));
    }
    if !risky.is_empty() {
        warn(&topic::report(&config.kafka, risky));
    }
    let authority = Authority::open_or_create(&config.state_dir, crate::clock::now())?;
    say(&format!("certificate authority: {} (back up {})", authority.fingerprint(), config.state_dir.display()));
    Ok(())
}
