//! Commands by which a person states something. Each follows from one entry of `statement`, with its fields as options.

mod record;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command};
use yomitori_facility::{Calendar, Text};
use yomitori_proto::code::InstitutionCode;

use super::Context;
use crate::clock;
use crate::statement::known;
use crate::statement::{self, BY, Field, ID, Input, Moment, RawValues, SURE, Statement, Subject, ValidStatement, WHY};
use crate::store::policy;

use self::record::logged_in;
pub(super) use self::record::{Answer, Attribution, Done, Repeatable, answer, refused, state, unknown};

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
    if statement.about != Subject::Registered {
        let facility = Arg::new(FACILITY)
            .long(FACILITY)
            .value_name("CODE")
            .required(statement.about == Subject::Facility)
            .help("One of the facility's institution codes, or its identifier");
        command = command.arg(facility);
    }
    command = command.args(statement.fields.iter().map(argument));
    if statement.may_be_doubted() {
        let help = if statement.telephones {
            "Record it even if the call centre is closed at that time"
        } else {
            "Record it even if there is a doubt, which the message describes"
        };
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
        Input::Line(_) | Input::Required(_) => argument.value_name("TEXT"),
        Input::Codes => argument.value_name("CODE").action(ArgAction::Append),
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
            Input::Tick | Input::Line(_) | Input::Minute(Moment::Optional | Moment::OptionalPast) => return None,
            Input::Required(_) => "さくら医院",
            Input::Codes => "1319999015",
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
    let facility = if statement.about == Subject::Registered { "" } else { " --facility 1319999015" };
    format!("yomitori-server {noun} {verb}{facility}{fields} --by Suzuki --why 'in a few words'")
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
            Input::Codes => matches
                .get_many::<String>(field.name)
                .map(|codes| codes.map(String::as_str).collect::<Vec<_>>().join(",")),
            _ => matches.get_one::<String>(field.name).cloned(),
        };
        typed.extend(word.map(|word| (field.name.to_owned(), word)));
    }
    let why = (!statement.why.ja.is_empty()).then(|| statement.why.ja.to_string());
    typed.extend(matches.get_one::<String>(WHY).cloned().or(why).map(|why| (WHY.to_owned(), why)));
    typed.insert(BY.to_owned(), matches.get_one::<String>(BY).cloned().unwrap_or_else(logged_in));
    typed.extend(matches.get_one::<String>(ID).cloned().map(|id| (ID.to_owned(), id)));
    if statement.may_be_doubted() && matches.get_flag(SURE) {
        typed.insert(SURE.to_owned(), "yes".to_owned());
    }
    typed
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
    let ValidStatement { stated, event: Some(event), sure, .. } = checked else {
        anyhow::bail!("failed to record: another command records this statement")
    };
    let named = (statement.about != Subject::Registered).then(|| matches.get_one::<String>(FACILITY)).flatten();
    let facility = match named {
        Some(text) => Some(context.facility(text).await?),
        None => None,
    };
    let facility = known::subject(&context.store, facility, &event).await?.map_err(|problem| refused(&[problem]))?;
    let json = matches.get_one::<String>(FORMAT).is_some_and(|format| format == "json");
    // Free text is not repeated: what a command prints may end up in a log.
    let is_free =
        |field: &Field, text: &str| matches!(field.input, Input::Line(_)) && InstitutionCode::parse(text).is_err();
    let content = statement.fields.iter().filter_map(|field| {
        let text = typed.get(field.name).filter(|text| !is_free(field, text))?;
        Some(format!("{} / {}: {text}", field.label.ja, field.label.en))
    });
    state(&context, facility, stated, event, &content.collect::<Vec<_>>(), (sure, json)).await
}
