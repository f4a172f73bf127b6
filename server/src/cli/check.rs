//! `check`: reports for each prerequisite whether the server could run.

use std::process::ExitCode;

use super::output::say;
use crate::config::Config;
use crate::identity::Authority;
use crate::log::kafka;
use crate::store::Store;
use yomitori_base::error::chain;

pub(super) async fn check(config: &Config) -> anyhow::Result<ExitCode> {
    say("設定 configuration              OK");
    let database = match Store::open(&config.database) {
        Ok(store) => store.check_schema().await.map_err(|error| chain(&error)),
        Err(error) => Err(chain(&error)),
    };
    let log = config.kafka.clone();
    let log = tokio::task::spawn_blocking(move || kafka::partitions(&log)).await?.map_err(|error| chain(&error));
    let authority = if config.state_dir.join("ca.pem").exists() {
        Authority::open_or_create(&config.state_dir, crate::clock::now()).map(drop).map_err(|error| chain(&error))
    } else {
        Err("not created yet (run `yomitori-server migrate`)".to_owned())
    };
    let points = [
        ("データベース database         ", database),
        ("ログ log                      ", log.map(drop)),
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
