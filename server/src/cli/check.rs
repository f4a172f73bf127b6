//! `check`: reports for each prerequisite whether the server could run.

use std::process::ExitCode;

use super::output::say;
use crate::config::Config;
use crate::identity::Authority;
use crate::log::{identity, kafka};
use crate::store::{Store, progress};
use yomitori_base::error::chain;

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
    let log = config.kafka.clone();
    let compare = move || {
        kafka::partitions(&log).map_err(|error| chain(&error))?;
        identity::verify(&log, &folded).map_err(|error| chain(&error))
    };
    let log = tokio::task::spawn_blocking(compare).await?;
    let authority = if config.state_dir.join("ca.pem").exists() {
        Authority::open_or_create(&config.state_dir, crate::clock::now()).map(drop).map_err(|error| chain(&error))
    } else {
        Err("not created yet (run `yomitori-server migrate`)".to_owned())
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
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
