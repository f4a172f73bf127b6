//! The first start: the service waits until the terminal is configured and enrolled, and enrols it if a token was
//! handed over. No failure here ends the service, because no one would restart it.

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

/// A technician who corrects a file waits for at most this long.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// An unreachable server is asked at most once a minute, and not by all terminals at once.
const ASK_AGAIN: Duration = Duration::from_secs(60);
const SPREAD: Duration = Duration::from_secs(30);

/// What the agent still needs before it can run.
#[derive(Debug, thiserror::Error)]
pub enum MissingSetup {
    #[error("failed to load the configuration")]
    Config(#[from] ConfigError),
    #[error("failed to load the terminal's identity")]
    Identity(#[from] FileError),
    #[error(
        "this terminal is not enrolled (run `yomitori-agent enrol --token ytm1.…` as an administrator; the service then continues by itself) / 端末が未登録です"
    )]
    NotEnrolled,
    #[error("failed to use the folder of the configuration or `state_dir`")]
    Folder(#[source] std::io::Error),
    #[error("no relay has connected to `connect.listen` (run `yomitori-agent relay --check` where the relay runs)")]
    Relay(#[source] Option<std::io::Error>),
    #[error("failed to enrol this terminal")]
    Enrol(#[from] EnrolError),
}

impl MissingSetup {
    /// Whether the server is needed for the next attempt.
    const fn needs_server(&self) -> bool {
        matches!(self, Self::Enrol(_))
    }
}

/// Waits until the configuration at `path` is valid and the terminal is enrolled.
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
        let pause = if missing.needs_server() { ASK_AGAIN + SPREAD.mul_f64(rand::random()) } else { LOOK_AGAIN };
        tokio::time::sleep(pause).await;
    }
}

/// Tries once to load the configuration and the identity, or to enrol the terminal.
pub async fn attempt(path: &Path) -> Result<Config, MissingSetup> {
    let config = Config::read(path)?;
    let known = Identity::load(&config.state_dir);
    if let Ok(Some(identity)) = &known
        && identity.not_after() > clock::now()
    {
        // An installer that runs again hands over the token again; it is not needed any more.
        handover::forget(path).map_err(MissingSetup::Folder)?;
        return Ok(config);
    }
    let Some(token) = handover::token(path).map_err(MissingSetup::Folder)? else {
        // An expired certificate may still be renewed.
        return if known?.is_some() { Ok(config) } else { Err(MissingSetup::NotEnrolled) };
    };
    system::private_folder(&config.state_dir).map_err(MissingSetup::Folder)?;
    let route =
        Route::open(config.server.clone(), config.mode.clone()).map_err(|error| MissingSetup::Relay(Some(error)))?;
    tokio::time::timeout(RELAY_WITHIN, route.wait_until_ready()).await.map_err(|_| MissingSetup::Relay(None))?;
    match enrol::enrol(&route.into(), &token, &config.state_dir).await {
        Ok((identity, _)) => {
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

/// Whether the server has rejected the token itself.
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
