//! `migrate`: prepares the database, the log's topic and the certificate authority.

use anyhow::{bail, ensure};

use super::output::{say, warn};
use crate::config::Config;
use crate::identity::{Authority, AuthorityError};
use crate::log::installation;
use crate::log::topic::{self, TopicOrigin};
use crate::store::{Store, StoreError, authority, installation as installations, lock, progress};

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server migrate
  yomitori-server migrate --existing-log   # the database was lost, and the topic is this installation's own
  yomitori-server migrate --new-authority  # ca.pem and ca.key were lost, and there is no backup of them";

#[derive(clap::Args)]
pub(super) struct MigrateArguments {
    /// Fold a topic that already has records into this empty database: the topic is this installation's own, and its
    /// database was lost
    #[arg(long)]
    existing_log: bool,
    /// Make another certificate authority, or take the one in `state_dir`, in place of one that was lost: each terminal must
    /// then be enrolled again
    #[arg(long)]
    new_authority: bool,
}

pub(super) async fn run(config: &Config, arguments: &MigrateArguments) -> anyhow::Result<()> {
    let store = Store::open(&config.database)?;
    // A server that runs would go on with a schema that it does not know.
    if matches!(store.check_schema().await, Err(StoreError::Schema { .. })) {
        let running = lock::running_servers(&store).await?;
        ensure!(
            running == 0,
            "{running} servers still run on this database: stop every server first. Terminals keep what they see meanwhile. \
             A server that was killed counts for ten more seconds"
        );
    }
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
    let own = installations::id(&store).await?;
    let owner = installation::claim(&config.kafka, own).await?;
    if let Some(foreign) = installation::foreign(&config.kafka, Some(owner), own) {
        ensure!(arguments.existing_log, foreign);
        installations::adopt(&store, owner).await?;
    }
    say(&format!("installation: {owner}"));
    let problems = topic::problems(&config.kafka).await?;
    let (losing, risky): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.loses_facts);
    if !losing.is_empty() {
        bail!("{}", topic::report(&config.kafka, losing));
    }
    if !risky.is_empty() {
        warn(&topic::report(&config.kafka, risky));
    }
    let authority = known_authority(config, &store, arguments.new_authority).await?;
    say(&format!("certificate authority: {} (back up {})", authority.fingerprint(), config.state_dir.display()));
    Ok(())
}

/// The certificate authority that terminals trust. The first one is created; a lost one is replaced only on request.
async fn known_authority(config: &Config, store: &Store, replaces: bool) -> anyhow::Result<Authority> {
    let folder = &config.state_dir;
    let recorded = authority::fingerprint(store).await?;
    let found = match Authority::open(folder) {
        Err(AuthorityError::Missing { .. }) if replaces || recorded.is_none() => {
            Authority::create(folder, crate::clock::now())?
        }
        Err(AuthorityError::Missing { .. }) => bail!(
            "no certificate authority in `{}`, and terminals trust {}: copy ca.pem and ca.key from another server or from the \
             backup. If they are lost, run `yomitori-server migrate --new-authority`; each terminal must then be enrolled again",
            folder.display(),
            recorded.unwrap_or_default()
        ),
        Ok(found) if replaces && recorded.as_deref() == Some(&found.fingerprint()) => bail!(
            "the certificate authority in `{}` is the one that terminals trust; to replace it all the same, move ca.pem and ca.key \
             away first",
            folder.display()
        ),
        found => found?,
    };
    if replaces {
        authority::replace(store, &found.fingerprint()).await?;
    } else {
        authority::record(store, &found.fingerprint()).await?;
        found.check(folder, authority::fingerprint(store).await?.as_deref())?;
    }
    Ok(found)
}
