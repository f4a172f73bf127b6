//! `rules` and `closure`: the policy by which every facility is judged, adopted through the log.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;
use yomitori_facility::{Calendar, Rules, Word as _};
use yomitori_proto::event::{Event, Origin, RulesAdopted};
use yomitori_proto::id::{FacilityId, StatementId};
use yomitori_proto::vocabulary::Closes;

use super::output::{self, Format, FormatArgument, note, say};
use super::statement::{Repeatable, state};
use super::{Context, UsageError, explain};
use crate::clock;
use crate::store::fact::{self, StoredFact};
use crate::store::{facility as facilities, policy};
use crate::when::{day, minute};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the rules in force, and who adopted which rules, when and why.
    Show {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Adopt rules: every facility is judged by them from then on, including earlier events.
    ///
    /// `rules export` prints those in force as a template; `what-if --rules FILE` shows which facilities would change.
    Adopt {
        /// The complete document (TOML), with a higher version than the one in force.
        file: PathBuf,
        #[command(flatten)]
        speaker: Repeatable,
    },
    /// Print the rules in force, with their comments.
    Export {
        /// Print the rules that come with the program; no server is needed.
        #[arg(long)]
        bundled: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum Closure {
    /// Print the usual closures of the coming year (New Year, Obon) as commands to edit and run.
    Propose,
    /// List every closure that holds, and who recorded it.
    List(ListArguments),
}

#[derive(Args)]
pub(super) struct ListArguments {
    /// One of the facility's institution codes: its own closures, instead of those of all clinics and of the call centre
    #[arg(long)]
    facility: Option<String>,
    #[command(flatten)]
    format: FormatArgument,
}

/// One adoption or closure, with who, when and why.
#[derive(Serialize)]
struct PolicyStatement<'a> {
    /// What `statement withdraw --statement` takes.
    statement: Option<StatementId>,
    by: &'a str,
    why: Option<&'a str>,
    at: DateTime<Utc>,
    #[serde(flatten)]
    what: PolicyChange,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PolicyChange {
    Adopted { version: u32 },
    Closed { from: DateTime<Utc>, to: DateTime<Utc>, closes: Closes },
}

fn policy_statement(stored: &StoredFact) -> Option<PolicyStatement<'_>> {
    let (by, why) = match &stored.recorded.origin {
        Origin::Person(stated) => (stated.by.as_str(), stated.why.as_deref()),
        Origin::Server { .. } | Origin::List { .. } | Origin::Terminal(_) => ("-", None),
    };
    let what = match &stored.recorded.event {
        Event::RulesAdopted(event) => PolicyChange::Adopted { version: event.version },
        Event::ClosureSet(event) => PolicyChange::Closed { from: event.from, to: event.to, closes: event.closes },
        _ => return None,
    };
    Some(PolicyStatement { statement: statement_id(stored), by, why, at: stored.recorded.occurred_at(), what })
}

/// The statement that this fact withdraws.
fn withdraws(stored: &StoredFact) -> Option<StatementId> {
    match &stored.recorded.event {
        Event::StatementWithdrawn(event) => Some(event.statement),
        _ => None,
    }
}

fn statement_id(stored: &StoredFact) -> Option<StatementId> {
    match &stored.recorded.origin {
        Origin::Person(stated) => stated.id,
        Origin::Server { .. } | Origin::List { .. } | Origin::Terminal(_) => None,
    }
}

pub(super) async fn run(context: impl FnOnce() -> anyhow::Result<Context>, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Export { bundled: true } => say(Rules::BUNDLED.trim_end()),
        Command::Export { bundled: false } => say(document(&policy::statements(&context()?.store).await?).trim_end()),
        Command::Show { format } => show(&context()?, format.format).await?,
        Command::Adopt { file, speaker } => {
            let document = explain::text(&file)?;
            let rules = explain::read_rules(&file)?;
            adopt(&context()?, document, &rules, speaker).await?;
        }
    }
    Ok(())
}

/// The document in force.
fn document(facts: &[StoredFact]) -> &str {
    let adopted = facts.iter().rev().find_map(|stored| match &stored.recorded.event {
        Event::RulesAdopted(event) if Rules::parse(&event.document).is_ok() => Some(event.document.as_str()),
        _ => None,
    });
    adopted.unwrap_or(Rules::BUNDLED)
}

async fn show(context: &Context, format: Format) -> anyhow::Result<()> {
    let policy = policy::now(&context.store).await?;
    let all = policy::statements(&context.store).await?;
    let adoptions: Vec<PolicyStatement<'_>> = all
        .iter()
        .rev()
        .filter_map(policy_statement)
        .filter(|statement| matches!(statement.what, PolicyChange::Adopted { .. }))
        .collect();
    let behind = facilities::count_behind(&context.store, policy.hash).await?;
    if format == Format::Json {
        #[derive(Serialize)]
        struct RulesDocument<'a> {
            version: u32,
            facilities_behind: i64,
            adopted: Vec<PolicyStatement<'a>>,
        }
        let shown = RulesDocument { version: policy.rules.version(), facilities_behind: behind, adopted: adoptions };
        say(&serde_json::to_string_pretty(&shown).context("failed to write JSON")?);
        return Ok(());
    }
    say(&format!("現行の規則 / rules in force: version {}", policy.rules.version()));
    if adoptions.is_empty() {
        say("  プログラム付属の規則です / the bundled rules; no others have been adopted");
    }
    for PolicyStatement { by, why, at, what, .. } in &adoptions {
        if let PolicyChange::Adopted { version } = what {
            say(&format!("  version {version:<4} {}  {by}（{}）", minute(*at), why.unwrap_or("-")));
        }
    }
    if behind > 0 {
        say(&format!("  再計算待ち {behind} 施設 / {} still to be folded again", output::facilities(behind)));
    }
    Ok(())
}

async fn adopt(context: &Context, document: String, rules: &Rules, speaker: Repeatable) -> anyhow::Result<()> {
    let policy = policy::now(&context.store).await?;
    if *rules == policy.rules {
        say("同じ規則がすでに有効です / the same rules are already in force; nothing was recorded");
        return Ok(());
    }
    let (version, known) = (rules.version(), policy.rules.version());
    if version <= known {
        return Err(UsageError(format!(
            "version {known} is in force: the document needs a higher one, such as `version = {}`",
            known.saturating_add(1)
        ))
        .into());
    }
    state(
        context,
        FacilityId::FLEET,
        speaker.stated()?,
        RulesAdopted { version, document }.into(),
        &[],
        (false, false),
    )
    .await?;
    note(
        "全施設を再計算します。進み具合は / every facility is folded again; for the progress run: yomitori-server rules show",
    );
    Ok(())
}

pub(super) async fn closure(context: &Context, command: Closure) -> anyhow::Result<()> {
    match command {
        Closure::Propose => {
            propose();
            Ok(())
        }
        Closure::List(ListArguments { facility, format }) => {
            let facility = match facility {
                Some(code) => context.facility(&code).await?,
                None => FacilityId::FLEET,
            };
            let all = fact::of_kinds(&context.store, facility, &["closure_set", "statement_withdrawn"]).await?;
            let withdrawn: BTreeSet<StatementId> = all.iter().filter_map(withdraws).collect();
            let holds = |stored: &&StoredFact| !statement_id(stored).is_some_and(|id| withdrawn.contains(&id));
            let closures: Vec<PolicyStatement<'_>> = all.iter().filter(holds).filter_map(policy_statement).collect();
            if format.format == Format::Json {
                say(&serde_json::to_string_pretty(&closures).context("failed to write JSON")?);
                return Ok(());
            }
            for PolicyStatement { statement, by, why, at, what } in &closures {
                if let PolicyChange::Closed { from, to, closes } = what {
                    let (from, to, at) = (minute(*from), minute(*to), minute(*at));
                    let label = closes.label();
                    let id = statement.map(|id| format!("  {id}")).unwrap_or_default();
                    say(&format!(
                        "{from} – {to}  {} / {}  {by}, {at}（{}）{id}",
                        label.ja,
                        label.en,
                        why.unwrap_or("-")
                    ));
                }
            }
            if closures.is_empty() {
                note("臨時休業の登録はありません / no closure has been recorded");
            }
            Ok(())
        }
    }
}

/// Prints commands for the usual closures; a person decides whether a clinic keeps them.
fn propose() {
    for (from, to, label) in Calendar::usual_closures(clock::now()) {
        say(&format!("# {} / {}", label.ja, label.en));
        say(&format!(
            "yomitori-server closure set --closes clinics --from {} --to {} --by NAME --why REASON",
            day(from),
            day(to)
        ));
    }
}
