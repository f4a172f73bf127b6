//! Carries out `service` on Windows.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::failure::Failure;
use super::service::{ServiceArgs, ServiceCommand};
use crate::service::handover::{self, Handover};
use crate::service::{manager, setup};
use crate::telemetry;

/// The output of an installer's child process is not shown, so failures also go to the event log.
pub(super) fn carry_out(args: &ServiceArgs, config: PathBuf) -> ExitCode {
    telemetry::init_service();
    let done =
        match &args.command {
            None => manager::run(config).map_err(|error| {
                let error = anyhow::Error::new(error);
                Failure::Usage(error.context(
                    "failed to run as a service (only the service manager starts this; use `yomitori-agent run`)",
                ))
            }),
            Some(ServiceCommand::Prepare { server, token }) => prepare(server, token, &config),
            Some(ServiceCommand::Purge) => handover::purge(&config).map_err(|error| Failure::Todo(error.into())),
        };
    let (error, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(error)) => (error, 2),
        Err(Failure::Todo(error)) => (error, 1),
    };
    telemetry::service_command_failed(error.as_ref());
    // If standard error is closed, the event log and the exit code remain.
    let _ = writeln!(io::stderr(), "yomitori-agent: {}", yomitori_base::error::chain(error.as_ref()));
    ExitCode::from(code)
}

fn prepare(server: &str, token: &str, config: &Path) -> Result<(), Failure> {
    let handover = Handover::parse(server, token).map_err(|why| Failure::Usage(anyhow::Error::msg(why)))?;
    handover.write(config).map_err(|error| Failure::Todo(error.into()))?;
    let lacking = setup::set_up(config).map_err(|error| {
        Failure::Todo(anyhow::Error::new(error).context("failed to set up the service (install it with the package)"))
    })?;
    for (what, error) in lacking {
        telemetry::service_setup_incomplete(what, &error);
    }
    Ok(())
}
