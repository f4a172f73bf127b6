//! Commands by which a person states something. Each follows from one entry of `statement`, with its fields as options.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use serde::Serialize;
use yomitori_facility::{Calendar, Text, withdrawable};
use yomitori_proto::event::{Event, Stated};
use yomitori_proto::id::{FacilityId, StatementId};

use super::output::say;
use super::{Context, UsageError};
use crate::clock;
use crate::ingest::operator::{StatementError, StatementOutcome};
use crate::statement::known::{self, Standing};
use crate::statement::{
    self, BY, Field, ID, Input, Moment, Problem, RawValues, SURE, Statement, Subject, ValidStatement, WHY, subject,
};
use crate::store::{facility as facilities, policy};

const FACILITY: &str = "facility";
const FORMAT: &str = "format";

/// The nouns that only statements have, and the help of each.
const NOUNS: [(&str, &str); 18] = [
    ("intent", "Whether the group wants a facility on the ministry's list"),
    ("planned-call", "When someone will telephone the call centre"),
    ("call", "A call that asked the call centre not to list a facility"),
    ("confirmation", "The call centre has confirmed a call"),
    ("withdrawal", "A facility wants to be listed after all"),
    ("purchase", "What was bought for reading phones"),
    ("reception", "The reception desk is ready"),
    ("face-reader", "Which face reader stands at the desk"),
    ("reader-role", "What a reader is for"),
    ("restart", "The face reader was restarted"),
    ("notice", "The poster or the sticker at the entrance"),
    ("read", "A phone was read"),
    ("failure", "A phone was not read"),
    ("fallback", "What the desk did instead of reading a phone"),
    ("collection", "How much terminals may collect"),
    ("maintenance", "When a facility's silence is expected"),
    ("code", "A facility's institution codes"),
    ("statement", "What people have stated"),
];

/// Adds the commands of all statements; a noun with other commands keeps those too.
pub(super) fn add(mut root: Command) -> Command {
    let entry = ("entry", "Entries of a terminal's desk page");
    for (noun, about) in NOUNS.into_iter().chain([entry]) {
        root = root.subcommand(Command::new(noun).about(about).subcommand_required(true).arg_required_else_help(true));
    }
    for statement in statement::all() {
        let [noun, verb] = statement.command;
        root = root.mut_subcommand(noun, |command| command.subcommand(self::command(statement, verb)));
    }
    root
}

/// The statement that the command line names.
pub(super) fn asked(matches: &ArgMatches) -> Option<(&'static Statement, &ArgMatches)> {
    let (noun, below) = matches.subcommand()?;
    let (verb, matches) = below.subcommand()?;
    let statement = statement::all().find(|statement| statement.command == [noun, verb])?;
    Some((statement, matches))
}

fn command(statement: &'static Statement, verb: &'static str) -> Command {
    let note = statement.note.as_ref().map(|note| format!("\n\n{}\n{}", note.en, note.ja)).unwrap_or_default();
    let title = &statement.title;
    let mut command = Command::new(verb)
        .about(format!("{} / {}", title.en, title.ja))
        .long_about(format!("{} / {}{note}", title.en, title.ja))
        .after_help(format!("Example:\n  {}", example(statement)));
    let facility = Arg::new(FACILITY)
        .long(FACILITY)
        .value_name("CODE")
        .required(statement.about == Subject::Facility)
        .help("One of the facility's institution codes, or its identifier");
    command = command.arg(facility).args(statement.fields.iter().map(argument));
    if statement.telephones {
        let help = "Record it even if the call centre is closed at that time";
        command = command.arg(Arg::new(SURE).long(SURE).action(ArgAction::SetTrue).help(help));
    }
    let why = if statement.why.en.is_empty() {
        "Why, in a few words".to_owned()
    } else {
        format!("Why, in a few words; by default: {}", statement.why.ja)
    };
    command
        .arg(Arg::new(BY).long(BY).value_name("NAME").help("Who states it; the default is the user who is logged in"))
        .arg(Arg::new(WHY).long(WHY).value_name("REASON").help(why))
        .arg(
            Arg::new(ID)
                .long(ID)
                .value_name("UUID")
                .help("An identifier; a statement of a facility repeated with it counts once"),
        )
        .arg(
            Arg::new(FORMAT)
                .long(FORMAT)
                .value_parser(["table", "json"])
                .default_value("table")
                .help("The format of the result"),
        )
}

/// A field as an option. The catalogue lists its values, and also rejects any other.
fn argument(field: &'static Field) -> Arg {
    let hint = field.hint.as_ref().map(|hint| format!(" ({})", hint.en)).unwrap_or_default();
    let help = format!("{} / {}{hint}", field.label.en, field.label.ja);
    let argument = Arg::new(field.name).long(field.name.replace('_', "-")).help(help);
    match &field.input {
        Input::Tick => argument.action(ArgAction::SetTrue),
        Input::Radio(choices) => argument.value_name("WORD").long_help(listed(field, choices)),
        Input::Select(choices) => argument.value_name("WORD").long_help(listed(field, &choices())),
        Input::Minute(_) => argument.value_name("INSTANT"),
        Input::Line(_) => argument.value_name("TEXT"),
        Input::Given(..) => argument.value_name("ID"),
    }
}

fn listed(field: &Field, choices: &[(&'static str, Text)]) -> String {
    let lines = choices.iter().map(|(word, label)| {
        let value = PossibleValue::new(*word);
        format!("\n  {:<28} {} / {}", value.get_name(), label.en, label.ja)
    });
    format!("{} / {}:{}", field.label.en, field.label.ja, lines.collect::<String>())
}

fn example(statement: &Statement) -> String {
    let [noun, verb] = statement.command;
    let fields = statement.fields.iter().filter_map(|field| {
        let value = match &field.input {
            Input::Line(_) if field.name == "new" => "1319999023",
            Input::Tick | Input::Line(_) | Input::Minute(Moment::Optional) => return None,
            Input::Minute(Moment::Past) => "2026-04-01T10:30",
            Input::Minute(Moment::Ahead | Moment::Any) if field.name == "to" => "2027-01-04",
            Input::Minute(Moment::Ahead | Moment::Any) => "2026-12-28T10:00",
            Input::Radio(choices) => choices[0].0,
            Input::Select(choices) => choices()[0].0,
            Input::Given(example, _) => example,
        };
        Some(format!(" --{} {value}", field.name.replace('_', "-")))
    });
    let fields: String = fields.collect();
    format!("yomitori-server {noun} {verb} --facility 1319999015{fields} --by Suzuki --why 'in a few words'")
}

/// The values from the command line; fields that a page prefills are prefilled here too.
fn typed(statement: &Statement, matches: &ArgMatches) -> RawValues {
    let mut typed = RawValues::new();
    for field in statement.fields {
        let word = match &field.input {
            Input::Tick => matches.get_flag(field.name).then(|| "yes".to_owned()),
            Input::Minute(Moment::Past) => {
                let now = || clock::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
                Some(matches.get_one::<String>(field.name).cloned().unwrap_or_else(now))
            }
            _ => matches.get_one::<String>(field.name).cloned(),
        };
        typed.extend(word.map(|word| (field.name.to_owned(), word)));
    }
    let why = (!statement.why.ja.is_empty()).then(|| statement.why.ja.to_string());
    typed.extend(matches.get_one::<String>(WHY).cloned().or(why).map(|why| (WHY.to_owned(), why)));
    typed.insert(BY.to_owned(), matches.get_one::<String>(BY).cloned().unwrap_or_else(logged_in));
    typed.extend(matches.get_one::<String>(ID).cloned().map(|id| (ID.to_owned(), id)));
    if statement.telephones && matches.get_flag(SURE) {
        typed.insert(SURE.to_owned(), "yes".to_owned());
    }
    typed
}

fn logged_in() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
    user.filter(|user| !user.is_empty()).unwrap_or_else(|| "console".to_owned())
}

/// Records a statement, and prints the facility and its status.
pub(super) async fn run(
    context: impl FnOnce() -> anyhow::Result<Context>,
    statement: &Statement,
    matches: &ArgMatches,
) -> anyhow::Result<()> {
    let typed = typed(statement, matches);
    // Reports mistakes that need no server before it opens one.
    let bundled = Calendar::bundled();
    match statement.check(&typed, clock::now(), &bundled) {
        Err(problems) if problems.iter().any(|problem| problem.field != SURE) => return Err(refused(&problems).into()),
        Ok(_) | Err(_) => {}
    }
    let context = context()?;
    let calendar = if statement.telephones { policy::now(&context.store).await?.calendar } else { bundled };
    let checked = statement.check(&typed, clock::now(), &calendar).map_err(|problems| refused(&problems))?;
    let ValidStatement { stated, event: Some(event), .. } = checked else {
        anyhow::bail!("failed to record: another command records this statement")
    };
    let facility = match matches.get_one::<String>(FACILITY) {
        Some(text) => Some(context.facility(text).await?),
        None => None,
    };
    let facility = subject(facility, &event);
    let json = matches.get_one::<String>(FORMAT).is_some_and(|format| format == "json");
    state(&context, facility, stated, event, json).await
}

/// Lists every problem with its option.
fn refused(problems: &[Problem]) -> UsageError {
    let lines = problems.iter().map(|Problem { field, text }| {
        let advice = if *field == SURE { " (--sure / 確かめた場合は --sure)" } else { "" };
        format!("--{}: {} / {}{advice}", field.replace('_', "-"), text.ja, text.en)
    });
    UsageError(lines.collect::<Vec<_>>().join("\n"))
}

/// The recorded statement and the resulting status.
#[derive(Serialize)]
struct RecordedDocument {
    statement: Option<StatementId>,
    facility: FacilityId,
    name: Option<String>,
    code: Option<String>,
    /// Whether `now` includes the statement already.
    shown: bool,
    now: BTreeMap<&'static str, String>,
}

/// Records an event about a facility or the fleet, and prints the facility and its status.
pub(super) async fn state(
    context: &Context,
    facility: FacilityId,
    stated: Stated,
    event: Event,
    json: bool,
) -> anyhow::Result<()> {
    let statement = stated.id;
    let can_withdraw = withdrawable(&event);
    let again = match known::standing(&context.store, facility, statement, &event).await? {
        Standing::New => false,
        Standing::Recorded => true,
        Standing::Refused(problem) => return Err(refused(&[problem]).into()),
    };
    let shown = again || record(context, facility, stated, event).await? == StatementOutcome::Shown;
    let line = facilities::rows(&context.store, Some(facility)).await?.pop();
    let mut now = BTreeMap::new();
    if let Some(line) = &line {
        now.extend([("eligible", line.eligible.clone()), ("evidence", line.evidence.clone())]);
        now.extend([("intent", line.intent.clone()), ("opt_out", line.opt_out.clone())]);
        now.extend([("listing", line.listing.clone())]);
    }
    let (name, code) = (line.as_ref().map(|line| line.name.clone()), line.and_then(|line| line.code));
    if json {
        let recorded = RecordedDocument { statement, facility, name, code, shown, now };
        say(&serde_json::to_string_pretty(&recorded).context("failed to write JSON")?);
        return Ok(());
    }
    let code = code.unwrap_or_else(|| facility.to_string());
    let (whom, of) = if facility == FacilityId::FLEET {
        ("全施設 / all facilities".to_owned(), String::new())
    } else {
        (format!("{} {code}", name.unwrap_or_default()), format!(" --facility {code}"))
    };
    let done = if again {
        "すでに記録されています / recorded already"
    } else if shown {
        "記録しました / recorded"
    } else {
        "受け付けました。反映は少し後です / accepted, not yet shown (is the server's projector running?)"
    };
    say(&format!("{}: {done}", whom.trim()));
    if !now.is_empty() {
        let axes: Vec<String> = now.iter().map(|(axis, key)| format!("{axis} {key}")).collect();
        say(&format!("  現在 / now: {}", axes.join(", ")));
    }
    if let Some(id) = statement.filter(|_| can_withdraw) {
        say(&format!(
            "  取り消すには / to withdraw it: yomitori-server statement withdraw --statement {id}{of} --why REASON"
        ));
    }
    Ok(())
}

/// Records an event, and waits until it is shown.
async fn record(
    context: &Context,
    facility: FacilityId,
    stated: Stated,
    event: Event,
) -> anyhow::Result<StatementOutcome> {
    let id = stated.id.map(|id| id.to_string()).unwrap_or_default();
    match context.operator.record(facility, stated, event).await {
        Ok(position) => Ok(context.operator.wait_until_projected(position).await?),
        Err(error @ StatementError::Invalid(_)) => Err(error.into()),
        Err(error) => Err(anyhow::Error::new(error).context(format!(
            "failed to record. 記録できたか分かりません / it may or may not have been recorded: run it again with --id {id}"
        ))),
    }
}

/// The arguments for who states something and why.
#[derive(Args)]
pub(super) struct Attribution {
    /// Who states it; the default is the user who is logged in.
    #[arg(long)]
    by: Option<String>,
    /// The reason, in a few words.
    #[arg(long)]
    why: Option<String>,
    /// An identifier; a statement of a facility repeated with it counts once.
    #[arg(long)]
    id: Option<String>,
}

impl Attribution {
    /// A statement made now; `why` is the default reason.
    pub(super) fn stated(self, why: &str) -> Result<Stated, UsageError> {
        let Self { by, why: reason, id } = self;
        let reason = reason.or_else(|| Some(why.to_owned()).filter(|why| !why.is_empty()));
        let typed = [(BY, Some(by.unwrap_or_else(logged_in))), (WHY, reason), (ID, id)];
        let typed = typed.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))).collect();
        statement::stated(&typed, clock::now()).map_err(|problems| refused(&problems))
    }
}
