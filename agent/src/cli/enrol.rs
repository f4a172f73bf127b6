//! `enrol`: once a terminal, by a technician.

use std::io::{self, Write as _};

use anyhow::{Context as _, anyhow};

use super::Failure;
use crate::config::Config;
use crate::identity::token::Token;
use crate::identity::{self, Identity};

pub(super) async fn enrol(config: &Config, token: &str, again: bool) -> Result<(), Failure> {
    let token: Token = token.parse().map_err(|error| Failure::Usage(anyhow::Error::new(error)))?;
    std::fs::create_dir_all(&config.state_dir)
        .with_context(|| format!("make the folder `{}`", config.state_dir.display()))?;
    if let Ok(Some(identity)) = Identity::load(&config.state_dir)
        && !again
    {
        let terminal = identity.terminal();
        return Err(Failure::Todo(anyhow!(
            "this terminal is enrolled as {terminal} (nothing to do; to enrol it anew, add --again) \
             / この端末は登録済みです。やり直す場合は --again を付けてください"
        )));
    }
    let identity = identity::enrol(&config.server, &token).await.context("enrol this terminal")?;
    identity.store(&config.state_dir).context("keep the certificate")?;
    writeln!(
        io::stdout(),
        "登録しました。 / Enrolled.\n  terminal {}\n  facility {}",
        identity.terminal(),
        identity.facility()
    )?;
    Ok(())
}
