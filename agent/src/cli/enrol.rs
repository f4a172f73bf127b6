//! `enrol`: a technician enrols the terminal once.

use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use super::failure::Failure;
use crate::config::Config;
use crate::connect::{Mode, RELAY_WITHIN, Route};
use crate::identity::Identity;
use crate::identity::enrol;
use crate::identity::facility::EnrolledFacility;
use crate::identity::token::Token;
use crate::spool::Spool;
use crate::{clock, system};

pub(super) async fn enrol(config: &Config, token: &str, again: bool) -> Result<(), Failure> {
    let token: Token = token.parse().map_err(|error| Failure::Usage(anyhow::Error::new(error)))?;
    system::private_folder(&config.state_dir)
        .with_context(|| format!("failed to create the folder `{}`", config.state_dir.display()))?;
    if let Ok(Some(identity)) = Identity::load(&config.state_dir) {
        if !again {
            let terminal = identity.terminal();
            return Err(Failure::Todo(anyhow!(
                "this terminal is enrolled as {terminal} (nothing to do; to enrol it again, add --again) \
                 / この端末は登録済みです。やり直す場合は --again を付けてください"
            )));
        }
        // An older version has not written down for which facility the spool is. If the agent is running, it has done that.
        let now = clock::now();
        if matches!(Spool::waiting(&config.state_dir), Ok(Some(_))) {
            drop(Spool::open(&config.state_dir, identity.peer(), config.spool_budget, now));
        }
    }
    let route = Route::open(config.server.clone(), config.mode.clone()).context(
        "failed to listen for a relay at `connect.listen` (if the agent is running, stop it first) / エージェントを停止してから実行してください",
    )?;
    if config.mode != Mode::Direct {
        writeln!(io::stdout(), "中継を待っています。 / Waiting for a relay to connect.")?;
        let waited = tokio::time::timeout(RELAY_WITHIN, route.wait_until_ready()).await;
        waited.context("no relay has connected (start it, and check it with `yomitori-agent relay --check`)")?;
    }
    let enrolled = enrol::enrol(&Arc::new(route), &token, &config.state_dir).await;
    let (identity, facility) = enrolled.context("failed to enrol this terminal")?;
    let facility = EnrolledFacility::label(facility.as_ref(), identity.facility());
    writeln!(
        io::stdout(),
        "登録しました。施設名を確かめてください。 / Enrolled; make sure that this is the facility:\n  {facility}\n  terminal {}",
        identity.terminal()
    )?;
    Ok(())
}
