//! The first start: the service waits until the terminal is configured and enrolled, and enrols it where a token was handed
//! over. Nothing here ends the service, since nobody stands beside it to start it again.

use std::path::Path;
use std::time::Duration;

use tonic::Code;

use super::handover;
use crate::config::{Config, ConfigError};
use crate::connect::{RELAY_WITHIN, Route};
use crate::identity::Identity;
use crate::identity::enrol::{self, EnrolError};
use crate::identity::file::FileError;
use crate::{clock, system, telemetry};
use yomitori_base::error::chain;

/// A technician who mends a file waits for this.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// A server that is away is asked no more often than once a minute, and not by all terminals at once.
const ASK_AGAIN: Duration = Duration::from_secs(60);
const SPREAD: Duration = Duration::from_secs(30);

/// What is still missing before the agent can work.
#[derive(Debug, thiserror::Error)]
pub enum MissingSetup {
    #[error("read the configuration")]
    Config(#[from] ConfigError),
    #[error("know who this terminal is")]
    Identity(#[from] FileError),
    #[error(
        "this terminal is not enrolled (run `yomitori-agent enrol --token ytm1.…` as an administrator; the service goes on \
         by itself) / 端末が未登録です"
    )]
    NotEnrolled,
    #[error("use the folder of the configuration or `state_dir`")]
    Folder(#[source] std::io::Error),
    #[error("wait for a relay at `connect.listen` (look with `yomitori-agent relay --check` where the relay runs)")]
    Relay(#[source] Option<std::io::Error>),
    #[error("enrol this terminal")]
    Enrol(#[from] EnrolError),
}

impl MissingSetup {
    /// Whether the next attempt goes over the network.
    const fn is_away(&self) -> bool {
        matches!(self, Self::Enrol(_))
    }
}

/// The configuration at `path`, once it is whole and the terminal is enrolled.
pub async fn wait_until_ready(path: &Path) -> Config {
    let mut last_logged = String::new();
    loop {
        let missing = match attempt(path).await {
            Ok(config) => return config,
            Err(missing) => missing,
        };
        let text = chain(&missing);
        if text != last_logged {
            telemetry::service_waiting(&missing);
            last_logged = text;
        }
        let pause = if missing.is_away() { ASK_AGAIN + SPREAD.mul_f64(rand::random()) } else { LOOK_AGAIN };
        tokio::time::sleep(pause).await;
    }
}

/// Tries once to find the terminal configured and enrolled, or to enrol it.
pub async fn attempt(path: &Path) -> Result<Config, MissingSetup> {
    let config = Config::read(path)?;
    let known = Identity::load(&config.state_dir);
    if let Ok(Some(identity)) = &known
        && identity.not_after() > clock::now()
    {
        // An installer that is run again says again what it said at first.
        handover::forget(path).map_err(MissingSetup::Folder)?;
        return Ok(config);
    }
    let Some(token) = handover::token(path).map_err(MissingSetup::Folder)? else {
        // A certificate that has run out may still be renewed.
        return if known?.is_some() { Ok(config) } else { Err(MissingSetup::NotEnrolled) };
    };
    system::private_folder(&config.state_dir).map_err(MissingSetup::Folder)?;
    let route =
        Route::open(config.server.clone(), config.mode.clone()).map_err(|error| MissingSetup::Relay(Some(error)))?;
    tokio::time::timeout(RELAY_WITHIN, route.wait_until_ready()).await.map_err(|_| MissingSetup::Relay(None))?;
    match enrol::enrol(&route.into(), &token).await {
        Ok(identity) => {
            identity.store(&config.state_dir)?;
            handover::forget(path).map_err(MissingSetup::Folder)?;
            telemetry::terminal_enrolled(identity.terminal());
            Ok(config)
        }
        Err(error) => {
            if is_final(&error) {
                handover::forget(path).map_err(MissingSetup::Folder)?;
            }
            Err(error.into())
        }
    }
}

/// The server has looked at the token and doesn't take it.
fn is_final(error: &EnrolError) -> bool {
    match error {
        EnrolError::Refused(status) => matches!(
            status.code(),
            Code::Unauthenticated
                | Code::PermissionDenied
                | Code::NotFound
                | Code::InvalidArgument
                | Code::FailedPrecondition
        ),
        _ => false,
    }
}
