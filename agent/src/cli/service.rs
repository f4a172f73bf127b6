//! `service`: the service that the Windows service manager starts, and the commands that the package runs when it
//! installs and uninstalls.

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub(super) struct ServiceArgs {
    #[command(subcommand)]
    pub(super) command: Option<ServiceCommand>,
}

#[derive(Subcommand, Debug, PartialEq, Eq)]
pub(super) enum ServiceCommand {
    /// Write the configuration and token that the installer was given, and set up recovery; an empty text means that
    /// nothing was given
    Prepare {
        /// The server's address; without it an existing configuration is not changed
        #[arg(long, default_value = "", value_name = "HOST:PORT")]
        server: String,
        /// The one-time token; the service enrols with it at its first start and then deletes it
        #[arg(long, default_value = "", value_name = "TOKEN")]
        token: String,
    },
    /// Delete configuration, certificate, spool and the record of what was sent
    Purge,
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

    /// Parses a command line as the package writes it.
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
