//! `service`: what the service manager of Windows starts, and what the package runs while it installs and uninstalls.

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub(super) struct ServiceArgs {
    #[command(subcommand)]
    command: Option<ServiceCommand>,
}

#[derive(Subcommand, Debug, PartialEq, Eq)]
enum ServiceCommand {
    /// Write down what the installer was told, and set up recovery; an empty text stands for nothing told
    Prepare {
        /// The server's address; without it a configuration that is there stays as it is
        #[arg(long, default_value = "", value_name = "HOST:PORT")]
        server: String,
        /// The one-time token; the service enrols with it at its first start, and deletes it
        #[arg(long, default_value = "", value_name = "TOKEN")]
        token: String,
    },
    /// Delete configuration, certificate, spool and the record of what was sent
    Purge,
}

#[cfg(windows)]
pub(super) use of_windows::carry_out;

#[cfg(windows)]
mod of_windows {
    use std::io::{self, Write as _};
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;

    use super::super::Failure;
    use super::{ServiceArgs, ServiceCommand};
    use crate::service::handover::{self, Handover};
    use crate::{service, telemetry};

    /// Nobody sees what an installer's child prints, so failures go to the event log as well.
    pub(in super::super) fn carry_out(args: &ServiceArgs, config: PathBuf) -> ExitCode {
        telemetry::init_service();
        let done = match &args.command {
            None => service::run(config).map_err(|error| {
                let error = anyhow::Error::new(error);
                Failure::Usage(error.context("serve (only the service manager starts this; use `yomitori-agent run`)"))
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
        // Where standard error is closed, the event log and the exit code have to do.
        let _ = writeln!(io::stderr(), "yomitori-agent: {}", yomitori_base::error::chain(error.as_ref()));
        ExitCode::from(code)
    }

    fn prepare(server: &str, token: &str, config: &Path) -> Result<(), Failure> {
        let handover = Handover::parse(server, token).map_err(|why| Failure::Usage(anyhow::Error::msg(why)))?;
        handover.write(config).map_err(|error| Failure::Todo(error.into()))?;
        let lacking = service::set_up(config).map_err(|error| {
            Failure::Todo(anyhow::Error::new(error).context("set up the service (install it with the package)"))
        })?;
        for (what, error) in lacking {
            telemetry::service_setup_lacks(what, &error);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct ServiceLine {
        #[command(flatten)]
        args: ServiceArgs,
    }

    /// As the package writes it, with the properties filled in.
    fn parsed(line: &[&str]) -> Option<ServiceCommand> {
        ServiceLine::try_parse_from([&["service"], line].concat()).unwrap().args.command
    }

    #[test]
    fn what_was_not_said_is_empty() {
        assert_eq!(parsed(&[]), None);
        assert_eq!(parsed(&["purge"]), Some(ServiceCommand::Purge));
        let prepare = |server: &str, token: &str| {
            Some(ServiceCommand::Prepare { server: server.to_owned(), token: token.to_owned() })
        };
        assert_eq!(parsed(&["prepare"]), prepare("", ""));
        assert_eq!(parsed(&["prepare", "--server", "", "--token", ""]), prepare("", ""));
        assert_eq!(parsed(&["prepare", "--server", "h:7443", "--token", "ytm1.x"]), prepare("h:7443", "ytm1.x"));
        assert!(ServiceLine::try_parse_from(["service", "prepare", "--server"]).is_err());
    }
}
