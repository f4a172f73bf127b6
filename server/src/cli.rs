//! The command line of the server.
//!
//! Exit codes: 0 success, 1 the command failed, 2 the arguments or the configuration are not valid.

mod check;
mod explain;
mod facility;
mod flag;
mod instant;
mod listing;
mod log;
mod migrate;
mod output;
mod parked;
mod progress;
mod rebuild;
mod rules;
mod statement;
mod status;
mod terminal;
mod token;
mod what_if;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::Config;
use crate::ingest::operator::{Operator, StatementError};
use crate::log::kafka::Appender;
use crate::roles::{self, Role};
use crate::statement::{Problem, known};
use crate::store::Store;
use crate::telemetry;
use yomitori_proto::id::FacilityId;

const EXAMPLES: &str = "Examples:
  yomitori-server migrate --config /etc/yomitori/server.toml
  yomitori-server serve
  yomitori-server facility import facilities.csv
  yomitori-server token issue --facility 1319999015
  yomitori-server intent set --facility 1319999015 --intent do_not_want --by Suzuki --why 'no staff for it'
  yomitori-server status --facility 1319999015 --format json
  yomitori-server explain --events facts.jsonl --at 2026-04-01T10:30:00+09:00 --format json";

/// スマホ保険証の読み取りを見守る — watches smartphone reads of the insurance card, facility by facility.
#[derive(Parser)]
#[command(name = "yomitori-server", version, after_help = EXAMPLES)]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, env = "YOMITORI_SERVER_CONFIG", default_value = "/etc/yomitori/server.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it receives a stop signal.
    #[command(after_help = "Examples:\n  yomitori-server serve\n  yomitori-server serve --roles ingest,projector")]
    Serve {
        /// Run only these parts, so that they can be spread over machines.
        #[arg(long, value_delimiter = ',', value_enum, default_values_t = Role::ALL)]
        roles: Vec<Role>,
    },
    /// Migrate the database to this version's schema, create the log's topic and the certificate authority.
    #[command(after_help = migrate::EXAMPLES)]
    Migrate(migrate::MigrateArguments),
    /// Check the configuration, the database, the log and the certificate authority.
    #[command(after_help = "Example:\n  yomitori-server check --config /etc/yomitori/server.toml")]
    Check,
    /// Register facilities.
    #[command(subcommand, after_help = facility::EXAMPLES)]
    Facility(facility::Command),
    /// Import the ministry's list and compare its snapshots with our facilities.
    #[command(subcommand, after_help = listing::EXAMPLES)]
    Listing(listing::Command),
    /// Issue, list and revoke the one-time tokens that enrol terminals.
    #[command(subcommand, after_help = token::EXAMPLES)]
    Token(token::Command),
    /// List the terminals; suspend, resume, retire and revoke them.
    #[command(subcommand, after_help = terminal::EXAMPLES)]
    Terminal(terminal::Command),
    /// Verify the database against the log.
    #[command(subcommand, after_help = log::EXAMPLES)]
    Log(log::Command),
    /// Rebuild the projection from the log beside the live one, show what would change, and swap the two.
    #[command(after_help = rebuild::EXAMPLES)]
    Rebuild(rebuild::RebuildArguments),
    /// Show, export and adopt the rules by which facilities are judged.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server rules export > rules.toml\n  yomitori-server rules adopt rules.toml --by Suzuki --why 'the notice of April'\n  yomitori-server rules show"
    )]
    Rules(rules::Command),
    /// Record when clinics or the call centre are closed, beyond holidays and opening hours.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server closure set --closes call_centre --from 2026-12-29 --to 2027-01-04 --by Suzuki --why 'new year'\n  yomitori-server closure list\n  yomitori-server closure propose"
    )]
    Closure(rules::Closure),
    /// List the flags, or record that someone has seen one.
    #[command(subcommand, after_help = flag::EXAMPLES)]
    Flag(flag::Command),
    /// List, retry and repair facilities that are blocked by a record that cannot be folded.
    #[command(subcommand, after_help = parked::EXAMPLES)]
    Parked(parked::Command),
    /// Explain event by event how each axis of a facility got its value.
    Explain(explain::ExplainArguments),
    /// Show the status of every facility or of one, now or at an earlier instant.
    #[command(
        after_help = "Examples:\n  yomitori-server status\n  yomitori-server status --facility 1319999015 --format json\n  yomitori-server status --as-of 2026-04-01T10:30     # what was true, by today's knowledge\n  yomitori-server status --known-at 2026-04-01T10:30  # what was shown then"
    )]
    Status(status::StatusArguments),
    /// List the facilities that would change status under different rules, and why. Nothing is changed.
    #[command(
        after_help = "Examples:\n  yomitori-server what-if --rules rules.toml\n  yomitori-server what-if --rules rules.toml --csv > changes.csv"
    )]
    WhatIf(what_if::WhatIfArguments),
}

/// The arguments are not valid and the caller can correct them: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

impl From<Problem> for UsageError {
    fn from(Problem { text, .. }: Problem) -> Self {
        Self(format!("{} / {}", text.ja, text.en))
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let matches = with_examples(statement::add(Arguments::command())).get_matches();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        output::warn("a second crypto provider is installed");
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("failed to start")),
    };
    match runtime.block_on(carry_out(&matches)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Gives every command the examples that its noun has for it, and every noun without examples those of its commands.
fn with_examples(root: clap::Command) -> clap::Command {
    root.mut_subcommands(|noun| {
        let (name, help) = (noun.get_name().to_owned(), noun.get_after_help().map(ToString::to_string));
        let examples = |help: &str, verb: &str| {
            let command = format!("yomitori-server {name} {verb}");
            let lines: Vec<&str> = help.lines().filter(|line| line.trim_start().starts_with(&command)).collect();
            (!lines.is_empty()).then(|| format!("Examples:\n{}", lines.join("\n")))
        };
        let of_verbs: Vec<String> = noun
            .get_subcommands()
            .filter_map(|verb| verb.get_after_help())
            .flat_map(|help| help.to_string().lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let known = help.unwrap_or_default();
        let noun = noun.mut_subcommands(|verb| match examples(&known, verb.get_name()) {
            Some(examples) if verb.get_after_help().is_none() => verb.after_help(examples),
            _ => verb,
        });
        if known.is_empty() && !of_verbs.is_empty() {
            noun.after_help(format!("Examples:\n{}", of_verbs.join("\n")))
        } else {
            noun
        }
    })
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let mistaken = error.downcast_ref::<UsageError>().is_some();
    let theirs = mistaken
        || error.downcast_ref::<crate::config::ConfigError>().is_some()
        || matches!(error.downcast_ref(), Some(StatementError::Invalid(_)));
    output::failed(error, mistaken);
    ExitCode::from(if theirs { 2 } else { 1 })
}

async fn carry_out(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    // Read only by the commands that need it: a command without a server must work without its configuration.
    let path = matches.get_one::<PathBuf>("config").cloned().unwrap_or_default();
    let config = || Config::load(&path, |name| std::env::var(name).ok());
    let context = || Context::open(&config()?);
    if let Some((statement, matches)) = statement::asked(matches) {
        statement::run(context, statement, matches).await?;
        return Ok(ExitCode::SUCCESS);
    }
    match Arguments::from_arg_matches(matches)?.command {
        Command::Serve { roles } => {
            let config = config()?;
            telemetry::init();
            roles::serve(config, &roles).await?;
        }
        Command::Migrate(arguments) => migrate::run(&config()?, &arguments).await?,
        Command::Check => return check::check(&config()?).await,
        Command::Facility(command) => facility::run(&context()?, command).await?,
        Command::Listing(command) => listing::run(&context()?, command).await?,
        Command::Terminal(command) => terminal::run(&context()?, command).await?,
        Command::Token(command) => token::run(&config()?, &context()?, command).await?,
        Command::Log(command) => return log::run(&config()?, command).await,
        Command::Rebuild(command) => rebuild::run(&config()?, command).await?,
        Command::Rules(command) => rules::run(context, command).await?,
        Command::Closure(command) => rules::closure(&context()?, command).await?,
        Command::Flag(flag::Command::List(format)) => flag::list(format.format)?,
        Command::Parked(command) => parked::run(&context()?, command).await?,
        Command::Explain(command) => explain::run(command, context).await?,
        Command::Status(command) => status::run(&context()?, command).await?,
        Command::WhatIf(command) => what_if::run(&context()?, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a command needs to read the store or to record a statement.
struct Context {
    store: Store,
    operator: Operator,
}

impl Context {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let store = Store::open(&config.database)?;
        let appender = Arc::new(Appender::open(&config.kafka).context("failed to open the log")?);
        Ok(Self { operator: Operator::new(appender, store.clone()), store })
    }

    /// Finds the facility that `text` names by a code or by the identifier.
    async fn facility(&self, text: &str) -> anyhow::Result<FacilityId> {
        Ok(known::facility(&self.store, text).await?.map_err(UsageError::from)?)
    }
}
