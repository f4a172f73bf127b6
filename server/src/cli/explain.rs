//! `explain`: how each axis of a facility got its value, event by event. For a file it needs no configuration, log or
//! database.

mod show;
mod stored;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};
use yomitori_facility::lines::{self, EventLine, FORM};
use yomitori_facility::{Calendar, EXAMPLE, Explanation, Hours, Rules, explain};
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{Event, Recorded};
use yomitori_proto::id::FacilityId;

use super::instant;
use super::output::{FormatArgument, note, say, warn};
use super::{Context, UsageError};
use yomitori_base::error::chain;

/// At most this many mistakes of a file are shown.
const SHOWN: usize = 20;

#[derive(Args)]
#[command(after_long_help = FORM, group(ArgGroup::new("what").required(true).args(["code", "events", "example"])))]
pub(super) struct ExplainArguments {
    /// One of the institution codes of a facility, or its identifier; the facts come from the server.
    code: Option<String>,
    /// A file of facts, one per line (see below); `-` reads standard input. No server is needed.
    #[arg(long)]
    events: Option<PathBuf>,
    /// Print an example of such a file, with every kind of event.
    #[arg(long)]
    example: bool,
    /// Only this facility of the file: an identifier or an institution code.
    #[arg(long, requires = "events")]
    facility: Option<String>,
    /// Explain what was known at this instant, such as 2026-04-01T10:30:00+09:00; Japan's time without an offset. The
    /// default is now; for a file, when the last fact was received.
    #[arg(long, value_parser = instant::parse)]
    at: Option<DateTime<Utc>>,
    #[command(flatten)]
    policy: PolicyFiles,
    #[command(flatten)]
    format: FormatArgument,
}

/// Files that replace the rules and the calendar.
#[derive(Args)]
pub(super) struct PolicyFiles {
    /// Rules (TOML) that replace the program's own and every adopted one; `rules export` prints an example.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// Holidays in the format of the Cabinet Office's CSV that replace the program's own.
    #[arg(long)]
    holidays: Option<PathBuf>,
    /// Hours of the call centre (TOML) that replace the program's own.
    #[arg(long)]
    hours: Option<PathBuf>,
}

impl PolicyFiles {
    /// The rules from the file, or the program's own.
    fn rules(&self) -> Result<Rules, UsageError> {
        self.rules.as_deref().map_or_else(|| Ok(Rules::bundled()), read_rules)
    }

    /// The calendar from the files, or the program's own.
    fn calendar(&self) -> Result<Calendar, UsageError> {
        let calendar = match &self.holidays {
            Some(file) => Calendar::parse(&read(file)?).map_err(|error| wrong(file, &chain(&error)))?,
            None => Calendar::bundled(),
        };
        let Some(file) = &self.hours else { return Ok(calendar) };
        let hours = Hours::parse(&text(file)?).map_err(|error| wrong(file, &chain(&error)))?;
        Ok(calendar.with_hours(hours))
    }
}

/// Explains a file of facts, or the facts that the server has about a facility.
pub(super) async fn run(
    asked: ExplainArguments,
    context: impl FnOnce() -> anyhow::Result<Context>,
) -> anyhow::Result<()> {
    match (&asked.code, &asked.events) {
        (Some(code), _) => stored::explain(&context()?, code, &asked).await,
        (None, Some(file)) => Ok(of_file(file, &asked)?),
        (None, None) => {
            say(EXAMPLE.trim_end());
            Ok(())
        }
    }
}

fn of_file(file: &Path, asked: &ExplainArguments) -> Result<(), UsageError> {
    let (rules, calendar) = (asked.policy.rules()?, asked.policy.calendar()?);
    let mut lines = lines::read(&read(file)?).map_err(|mistakes| {
        let mut shown: Vec<String> = mistakes.iter().take(SHOWN).map(|mistake| format!("  - {mistake}")).collect();
        if mistakes.len() > SHOWN {
            shown.push(format!("  - {} more", mistakes.len() - SHOWN));
        }
        let advice = "see `yomitori-server explain --help` for the format";
        wrong(file, &format!("nothing was computed; {advice}\n{}", shown.join("\n")))
    })?;
    if asked.policy.rules.is_some() {
        lines.retain(|line| {
            let adopts = matches!(line.recorded.event, Event::RulesAdopted(_));
            if adopts {
                warn(&format!("line {} adopts rules; --rules replaces them", line.number));
            }
            !adopts
        });
    }
    let (numbers, facts): (Vec<usize>, Vec<Recorded>) =
        lines.into_iter().map(|EventLine { number, recorded }| (number, recorded)).unzip();
    let Some(last) = facts.iter().map(|recorded| recorded.received_at).max() else {
        return Err(wrong(file, "the file contains no fact"));
    };
    let at = asked.at.unwrap_or(last);
    let later = facts.iter().filter(|recorded| recorded.received_at > at).count();
    if later > 0 {
        note(&format!("{later} 件は {at} より後に届くため無視 / ignored {later} facts that were received after {at}"));
    }
    let mut explained = explain(&facts, &rules, &calendar, at);
    if let Some(facility) = &asked.facility {
        choose(&mut explained, facility, at)?;
    }
    show::explained(&explained, at, asked.format.format, |number| {
        numbers.get(number).map(|line| format!("line {line}"))
    });
    Ok(())
}

/// Keeps only one facility, named by its identifier or by a current or former code.
fn choose(explained: &mut Explanation, text: &str, at: DateTime<Utc>) -> Result<(), UsageError> {
    let has_code = |id: &FacilityId, code: &InstitutionCode| {
        let codes = explained.status(*id, at).map(|status| status.codes).unwrap_or_default();
        codes.iter().any(|known| known.code == code.as_str())
    };
    let ids: Vec<FacilityId> = match (text.parse::<FacilityId>(), InstitutionCode::parse(text)) {
        (Ok(id), _) => vec![id],
        (Err(_), Ok(code)) => explained.facilities.keys().filter(|id| has_code(id, &code)).copied().collect(),
        (Err(_), Err(error)) => return Err(UsageError(format!("--facility: {}", chain(&error)))),
    };
    explained.facilities.retain(|id, _| ids.contains(id));
    explained.steps.retain(|step| ids.contains(&step.facility));
    if explained.facilities.is_empty() {
        return Err(UsageError(format!("no fact is about facility `{text}`")));
    }
    Ok(())
}

pub(super) fn read_rules(file: &Path) -> Result<Rules, UsageError> {
    Rules::parse(&text(file)?).map_err(|mistakes| {
        let mistakes: Vec<String> = mistakes.iter().map(|mistake| format!("  - {mistake}")).collect();
        wrong(file, &format!("the rules are not valid\n{}", mistakes.join("\n")))
    })
}

pub(super) fn wrong(file: &Path, what: &str) -> UsageError {
    UsageError(format!("`{}`: {what}", file.display()))
}

pub(super) fn text(file: &Path) -> Result<String, UsageError> {
    String::from_utf8(read(file)?).map_err(|_| wrong(file, "the file is not valid UTF-8"))
}

/// Reads the bytes of a file or of standard input.
fn read(file: &Path) -> Result<Vec<u8>, UsageError> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|error| UsageError(format!("failed to read `{}`: {error}", file.display())))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use yomitori_facility::Doubt::{Alike, Busy, Chance, Entered, Late, NotTaken, Short};
    use yomitori_facility::{Cause, FaceReaderModel, Fallback, Flag, Level, SupersededBy as By, Word as _};

    use super::*;

    #[test]
    fn the_form_names_every_flag_under_its_severity_and_every_word_of_the_tables() {
        let words: Vec<&str> = FORM.split(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c)).collect();
        let named = |word: &str| assert!(words.contains(&word), "the format lacks `{word}`");
        Cause::all().iter().for_each(|cause| named(&cause.id));
        Fallback::all().iter().for_each(|fallback| named(&fallback.id));
        FaceReaderModel::all().iter().for_each(|model| named(&model.id));
        Level::ALL.iter().for_each(|level| named(level.key()));
        [Entered, Short, NotTaken, Alike, Late, Busy, Chance].iter().for_each(|doubt| named(doubt.key()));
        [By::Late, By::Result, By::Role, By::ClockStep, By::Withdrawn, By::Entry, By::Retired]
            .iter()
            .for_each(|by| named(by.key()));
        let flags = FORM.split_once("\nFlags").unwrap().1;
        for flag in Flag::ALL {
            let before = flags.lines().take_while(|line| line.split_whitespace().next() != Some(flag.key()));
            let heading = before.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).last().unwrap();
            let severity = heading.split_whitespace().next();
            assert_eq!(severity, Some(flag.severity().key()), "{}", flag.key());
            assert!(flags.contains(&format!("{}: {}", flag.label().ja, flag.label().en)), "{}", flag.key());
        }
    }

    #[test]
    fn the_form_is_narrow_enough_for_a_terminal() {
        let sentences = FORM.lines().filter(|line| !line.starts_with("{\"facility\""));
        for line in sentences {
            let width: usize = line.chars().map(|c| if c > '\u{2e7f}' { 2 } else { 1 }).sum();
            assert!(width <= 100, "{width}: {line}");
        }
    }
}
