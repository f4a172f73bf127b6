//! `check`: reports for each prerequisite whether the server could run.

use std::process::ExitCode;

use futures_util::{StreamExt as _, stream};

use super::output::say;
use crate::config::{self, Config};
use crate::identity::Authority;
use crate::log::identity::Folded;
use crate::log::{identity, installation, kafka, topic};
use crate::store::{Store, authority, installation as installations, progress};
use yomitori_base::error::chain;

/// How many partitions are compared at once: each with a connection of its own.
const COMPARED_AT_ONCE: usize = 8;

pub(super) async fn check(config: &Config) -> anyhow::Result<ExitCode> {
    say("設定 configuration              OK");
    let store = Store::open(&config.database);
    let database = match &store {
        Ok(store) => store.check_schema().await.map_err(|error| chain(&error)),
        Err(error) => Err(chain(error)),
    };
    // Without the database the log can be looked for, and not compared.
    let folded = match &store {
        Ok(store) if database.is_ok() => progress::folded(store).await.unwrap_or_default(),
        Ok(_) | Err(_) => Vec::new(),
    };
    let partitions = match &store {
        Ok(store) if database.is_ok() => progress::partitions(store).await.unwrap_or_default(),
        Ok(_) | Err(_) => None,
    };
    let mut notes = Vec::new();
    if store.as_ref().is_ok_and(Store::is_in_clear) {
        notes.push(
            "データベースへの接続が暗号化されていません / what is sent to the database leaves this machine in clear: write \
             `database.ca_file`"
                .to_owned(),
        );
    }
    let mut log = check_log(&config.kafka, &folded, partitions, &mut notes).await;
    if let (Ok(store), Ok(()), Ok(())) = (&store, &database, &log) {
        log = check_owner(&config.kafka, store, &mut notes).await;
    }
    let authority = match Authority::open(&config.state_dir) {
        Ok(authority) => match &store {
            Ok(store) if database.is_ok() => check_authority(config, store, &authority).await,
            Ok(_) | Err(_) => Ok(()),
        },
        Err(error) => Err(chain(&error)),
    };
    let points = [
        ("データベース database         ", database),
        ("ログ log                      ", log),
        ("認証局 certificate authority  ", authority),
    ];
    let mut good = true;
    for (point, found) in points {
        match found {
            Ok(()) => say(&format!("{point} OK")),
            Err(why) => {
                good = false;
                say(&format!("{point} NG  {why}"));
            }
        }
    }
    for note in notes {
        say(&format!("注意 note                       {note}"));
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the authority is the one that terminals trust.
async fn check_authority(config: &Config, store: &Store, authority: &Authority) -> Result<(), String> {
    let recorded = authority::fingerprint(store).await.map_err(|error| chain(&error))?;
    authority.check(&config.state_dir, recorded.as_deref()).map_err(|error| chain(&error))
}

/// Whether the log belongs to this installation.
async fn check_owner(log: &config::Kafka, store: &Store, notes: &mut Vec<String>) -> Result<(), String> {
    let own = installations::id(store).await.map_err(|error| chain(&error))?;
    let owner = installation::owner(log).await.map_err(|error| chain(&error))?;
    if owner.is_none() {
        notes.push(format!(
            "nothing says to which installation topic `{}` belongs: run `yomitori-server migrate`",
            log.topic
        ));
    }
    installation::foreign(log, owner, own).map_or(Ok(()), |foreign| Err(foreign.to_string()))
}

/// Whether the log is there, is the one that was folded, and keeps what it takes. What is only a risk is added to `notes`.
async fn check_log(
    log: &config::Kafka,
    folded: &[Folded],
    partitions: Option<i32>,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let found = kafka::count_partitions(log).await.map_err(|error| chain(&error))?;
    kafka::same_partitions(log, found, partitions.unwrap_or(found)).map_err(|error| chain(&error))?;
    let compared = stream::iter(folded.to_vec()).map(|folded| {
        let log = log.clone();
        tokio::task::spawn_blocking(move || identity::compare(&log, folded))
    });
    let mut compared = compared.buffer_unordered(COMPARED_AT_ONCE);
    let mut deleted = 0;
    while let Some(compared) = compared.next().await {
        deleted += compared.expect("the comparison does not panic").map_err(|error| chain(&error))?;
    }
    if deleted > 0 {
        return Err(format!(
            "the first {deleted} records of topic `{}` are deleted. What was folded of them is in the database only: don't \
             rebuild; set the retention to unlimited and restore the topic from its backup (deploy/docs/backup.md)",
            log.topic
        ));
    }
    let problems = topic::problems(log).await.map_err(|error| chain(&error))?;
    let (losing, risky): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.loses_facts);
    if !risky.is_empty() {
        notes.push(topic::report(log, risky));
    }
    if losing.is_empty() { Ok(()) } else { Err(topic::report(log, losing)) }
}
