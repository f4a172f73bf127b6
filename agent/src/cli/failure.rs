//! The ways in which a command fails; the kind decides the exit code.

use std::io;

use crate::config::ConfigError;

/// A failed command; its text says what to do.
pub(super) enum Failure {
    /// The command or the configuration is wrong.
    Usage(anyhow::Error),
    /// Something has to be done.
    Todo(anyhow::Error),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Todo(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Todo(error.into())
    }
}
