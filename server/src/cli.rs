//! The command line: what can be asked of the server, and how it answers people.
//!
//! Exit codes: 0 done, 1 it could not be done, 2 what was asked for is wrong.

mod check;
mod collection;
mod entry;
mod explain;
mod facility;
mod instant;
mod list;
mod log;
mod output;
mod parked;
mod rebuild;
mod rules;
mod statement;
mod status;
mod terminal;
mod what_if;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::ingest::operator::{Operator, StateError};
use crate::log::kafka::{self, Appender};
use crate::roles::{self, Role};
use crate::store::{Store, facility as facilities};
use crate::telemetry;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::id::FacilityId;

use self::output::say;

const EXAMPLES: &str = "Examples:
  yomitori-server migrate --config /etc/yomitori/server.toml
  yomitori-server serve
  yomitori-server facility import facilities.csv
  yomitori-server terminal token --facility 1319999015
  yomitori-server opt-out record do-not-want --facility 1319999015 --by \"Suzuki\" --why \"no staff for it\"
  yomitori-server status --facility 1319999015 --format json
  yomitori-server explain --events facts.jsonl --at 2026-04-01T10:30:00+09:00 --format json";

/// スマホ保険証の読み取りを見守る — watches smartphone reads of the insurance card, facility by facility.
#[derive(Parser)]
#[command(name = "yomitori-server", version, after_help = EXAMPLES)]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, env = "YOMITORI_CONFIG", default_value = "/etc/yomitori/server.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is told to stop.
    Serve {
        /// Only these parts of it, so that they can be spread over machines.
        #[arg(long, value_delimiter = ',', value_enum, default_values_t = Role::ALL)]
        roles: Vec<Role>,
    },
    /// Bring the database to this version's schema, create the log's topic and the certificate authority.
    Migrate,
    /// Say what would happen: configuration, database, log, certificate authority.
    Check,
    /// The facilities that are watched.
    #[command(subcommand)]
    Facility(facility::Command),
    /// The ministry's list: what it says of our facilities, snapshot by snapshot.
    #[command(subcommand)]
    List(list::Command),
    /// The terminals of a facility.
    #[command(subcommand)]
    Terminal(terminal::Command),
    /// Whether the facility shall be on the ministry's list, and the call that takes it off.
    #[command(subcommand)]
    OptOut(statement::OptOut),
    /// What a reader is for, and that one was bought.
    #[command(subcommand)]
    Reader(statement::Reader),
    /// Which face reader stands at the desk, and that it was restarted.
    #[command(subcommand)]
    FaceReader(statement::FaceReader),
    /// Whether the database holds what the log says.
    #[command(subcommand, after_help = log::EXAMPLES)]
    Log(log::Command),
    /// Fold the whole log anew beside what is shown, look at what would change, and exchange the two.
    #[command(after_help = rebuild::EXAMPLES)]
    Rebuild(rebuild::Rebuild),
    /// The rules by which facilities are judged.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server rules export > rules.toml\n  yomitori-server rules adopt rules.toml --by Suzuki --why 'the notice of April'\n  yomitori-server rules show"
    )]
    Rules(rules::Command),
    /// When the call centre is closed beside its hours and the holidays.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server closure set --from 2026-12-29 --to 2027-01-04 --by Suzuki --why 'new year'\n  yomitori-server closure list"
    )]
    Closure(rules::Closure),
    /// State that a phone was read, or was not.
    #[command(
        after_help = "Examples:\n  yomitori-server attest --facility 1319999015 --os ios --at 2026-04-01T10:30 --by Suzuki\n  yomitori-server attest --facility 1319999015 --failed PatientDevice.PinWrong --by Suzuki"
    )]
    Attest(statement::Attest),
    /// What the desk did instead of reading a phone.
    #[command(after_help = "Examples:\n  yomitori-server fallback MynaPortalScreen --facility 1319999015 --by Suzuki")]
    Fallback(entry::FallbackDone),
    /// The poster or the sticker at the entrance.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server notice hung sticker --facility 1319999015 --by Suzuki"
    )]
    Notice(entry::Notice),
    /// How much terminals may collect.
    #[command(subcommand, after_help = collection::EXAMPLES)]
    Collection(collection::Command),
    /// The reception desk.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server reception arranged --facility 1319999015 --by Suzuki"
    )]
    Reception(entry::Reception),
    /// Entries of a terminal's desk page.
    #[command(subcommand)]
    Entry(entry::Entry),
    /// When a facility's silence is expected.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server maintenance set --facility 1319999015 --from 2026-05-02T18:00 --to 2026-05-07T08:00 --why 'works'"
    )]
    Maintenance(entry::Maintenance),
    /// Flags that people have seen.
    #[command(
        subcommand,
        after_help = "Examples:\n  yomitori-server flag acknowledge reader_missing --facility 1319999015 --by Suzuki\n  yomitori-server flag snooze reader_missing --facility 1319999015 --until 2026-04-08 --why 'a new cable comes'\n  yomitori-server flag list"
    )]
    Flag(entry::FlagCommand),
    /// Facilities whose records could not be followed: what waits, and what to do about it.
    #[command(subcommand, after_help = parked::EXAMPLES)]
    Parked(parked::Command),
    /// How each axis of a facility came to be what it is, event by event.
    Explain(explain::Explain),
    /// What is known of every facility, or of one; or what was true or was shown at an earlier instant.
    #[command(
        after_help = "Examples:\n  yomitori-server status\n  yomitori-server status --facility 1319999015 --format json\n  yomitori-server status --as-of 2026-04-01T10:30     # what was true, by today's knowledge\n  yomitori-server status --known-at 2026-04-01T10:30  # what was shown then"
    )]
    Status(status::Status),
    /// Which facilities would change sides under other rules, and why. Nothing is changed.
    #[command(
        after_help = "Examples:\n  yomitori-server what-if --rules rules.toml\n  yomitori-server what-if --rules rules.toml --format csv > changes.csv"
    )]
    WhatIf(what_if::WhatIf),
}

/// What somebody asked for can't be, and they can mend it: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Mistaken(String);

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        output::warn("a second crypto provider was installed");
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("start")),
    };
    match runtime.block_on(carry_out(arguments)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let mistaken = error.downcast_ref::<Mistaken>().is_some();
    let theirs = mistaken
        || error.downcast_ref::<crate::config::ConfigError>().is_some()
        || matches!(error.downcast_ref(), Some(StateError::Unfit(_)));
    output::failed(error, mistaken);
    ExitCode::from(if theirs { 2 } else { 1 })
}

async fn carry_out(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // Read where it is needed: what needs no server must not need its configuration.
    let config = || Config::load(&arguments.config, |name| std::env::var(name).ok());
    let desk = || Desk::open(&config()?);
    match arguments.command {
        Command::Serve { roles } => {
            let config = config()?;
            telemetry::init();
            roles::serve(config, &roles).await?;
        }
        Command::Migrate => migrate(&config()?).await?,
        Command::Check => return check::check(&config()?).await,
        Command::Facility(command) => facility::run(&desk()?, command).await?,
        Command::List(command) => list::run(&desk()?, command).await?,
        Command::Terminal(command) => terminal::run(&config()?, &desk()?, command).await?,
        Command::OptOut(command) => statement::opt_out(&desk()?, command).await?,
        Command::Reader(command) => statement::reader(&desk()?, command).await?,
        Command::FaceReader(command) => statement::face_reader(&desk()?, command).await?,
        Command::Log(command) => return log::run(&config()?, command).await,
        Command::Rebuild(command) => rebuild::run(&config()?, command).await?,
        Command::Rules(command) => rules::run(desk, command).await?,
        Command::Closure(command) => rules::closure(&desk()?, command).await?,
        Command::Attest(command) => statement::attest(&desk()?, command).await?,
        Command::Fallback(command) => entry::fallback(&desk()?, command).await?,
        Command::Notice(command) => entry::notice(&desk()?, command).await?,
        Command::Collection(command) => collection::run(&desk()?, command).await?,
        Command::Reception(command) => entry::reception(&desk()?, command).await?,
        Command::Entry(command) => entry::entry(&desk()?, command).await?,
        Command::Maintenance(command) => entry::maintenance(&desk()?, command).await?,
        Command::Flag(command) => entry::flag(desk, command).await?,
        Command::Parked(command) => parked::run(&desk()?, command).await?,
        Command::Explain(command) => explain::run(command, desk).await?,
        Command::Status(command) => status::run(&desk()?, command).await?,
        Command::WhatIf(command) => what_if::run(&desk()?, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let applied = Store::open(&config.database)?.migrate().await?;
    for migration in &applied {
        say(&format!("database: applied {migration}"));
    }
    if applied.is_empty() {
        say("database: up to date");
    }
    kafka::create_topic(&config.kafka).await?;
    say(&format!("log: topic `{}` is there", config.kafka.topic));
    let authority = crate::identity::Authority::open_or_create(&config.state_dir, crate::clock::now())?;
    say(&format!("certificate authority: {} (back up {})", authority.fingerprint(), config.state_dir.display()));
    Ok(())
}

/// What a command needs that states or reads.
struct Desk {
    store: Store,
    operator: Operator,
}

impl Desk {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let store = Store::open(&config.database)?;
        let appender = Arc::new(Appender::open(&config.kafka).context("open the log")?);
        Ok(Self { operator: Operator::new(appender, store.clone()), store })
    }

    /// The facility that `text` names by one of its codes, or by its identifier.
    async fn facility(&self, text: &str) -> anyhow::Result<FacilityId> {
        if let Ok(id) = text.parse() {
            let known = !facilities::lines(&self.store, Some(id)).await?.is_empty();
            let unknown = || Mistaken(format!("no facility is {id}; see `yomitori-server status`")).into();
            return if known { Ok(id) } else { Err(unknown()) };
        }
        let code = InstitutionCode::parse(text).map_err(|error| Mistaken(telemetry::chain(&error)))?;
        let found = facilities::by_code(&self.store, code.as_str()).await?;
        found.ok_or_else(|| {
            let advice = "see `yomitori-server status`, or import it with `yomitori-server facility import`";
            Mistaken(format!("no facility has the code {code}; {advice}")).into()
        })
    }
}
