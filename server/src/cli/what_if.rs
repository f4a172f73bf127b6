//! `what-if`: folds every facility under different rules, and lists which ones change status and why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use yomitori_facility::{Change, Facility, Rules, difference};
use yomitori_proto::id::FacilityId;

use super::output::{self, Format, FormatArgument, note, say};
use super::progress::ProgressMeter;
use super::{Context, explain, instant};
use crate::clock;
use crate::store::facility::{self as facilities, FacilityName};
use crate::store::fact;
use crate::store::policy::{self, Policy};

/// Facilities that are folded at once.
const AT_ONCE: i64 = 500;

#[derive(Args)]
pub(super) struct WhatIfArguments {
    /// The other rules (TOML); `rules export` prints those in force as a template.
    #[arg(long)]
    rules: PathBuf,
    /// Compare what was known at this instant; the default is now.
    #[arg(long, value_parser = instant::parse)]
    at: Option<DateTime<Utc>>,
    #[command(flatten)]
    format: FormatArgument,
    /// Print CSV with one row per change, for a spreadsheet.
    #[arg(long, conflicts_with = "format")]
    csv: bool,
}

/// How a change is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Table,
    Json,
    Csv,
}

/// A facility that changes status.
#[derive(Serialize)]
struct FacilityChanges<'a> {
    facility: FacilityId,
    code: Option<&'a str>,
    name: &'a str,
    prefecture: &'a str,
    changes: Vec<Change>,
}

pub(super) async fn run(context: &Context, asked: WhatIfArguments) -> anyhow::Result<()> {
    let other = explain::read_rules(&asked.rules)?;
    let at = asked.at.unwrap_or_else(clock::now);
    let policy = policy::at(&context.store, at).await?;
    let total = facilities::count(&context.store).await?;
    note(&format!(
        "現行の規則 {} 版と {} 版を {total} 施設で比べます / comparing rules {} with {} over {}",
        policy.rules.version(),
        other.version(),
        policy.rules.version(),
        other.version(),
        output::facilities(total)
    ));
    let layout = match (asked.csv, asked.format.format) {
        (true, _) => Layout::Csv,
        (false, Format::Json) => Layout::Json,
        (false, Format::Table) => Layout::Table,
    };
    let mut report = ChangeReport::new(layout)?;
    let of = u64::try_from(total).unwrap_or_default();
    let mut progress = ProgressMeter::new("施設 / facilities");
    let (mut after, mut looked_at) = (None, 0);
    loop {
        let named = facilities::named(&context.store, after, AT_ONCE).await?;
        let Some(last) = named.last() else { break };
        after = Some(last.facility);
        looked_at += named.len();
        for (named, changes) in changes(context, named, &policy, &other, at).await? {
            report.add(&named, changes)?;
        }
        progress.set(looked_at as u64, of, "");
    }
    progress.end();
    report.sum_up(looked_at);
    Ok(())
}

/// The facilities of `named` that change status.
async fn changes(
    context: &Context,
    named: Vec<FacilityName>,
    policy: &Policy,
    other: &Rules,
    at: DateTime<Utc>,
) -> anyhow::Result<Vec<(FacilityName, Vec<Change>)>> {
    let ids: Vec<FacilityId> = named.iter().map(|named| named.facility).collect();
    let mut folded: BTreeMap<FacilityId, [Facility; 2]> =
        ids.iter().map(|id| (*id, [Facility::new(*id), Facility::new(*id)])).collect();
    fact::each(&context.store, &ids, |stored| {
        let recorded = stored.recorded;
        let known = recorded.received_at <= at;
        if let Some([now, then]) = folded.get_mut(&recorded.facility).filter(|_| known) {
            now.apply(&recorded, &policy.rules);
            then.apply(&recorded, other);
        }
    })
    .await?;
    let changed = named.into_iter().filter_map(|named| {
        let [now, then] = folded.get(&named.facility)?;
        let mut changes = difference((now, &policy.rules), (then, other), &policy.calendar, at);
        // A date or a count may differ without a change of status.
        changes.retain(|change| change.from != change.to);
        (!changes.is_empty()).then_some((named, changes))
    });
    Ok(changed.collect())
}

/// Prints changes as they are found, and counts them.
struct ChangeReport {
    layout: Layout,
    facilities: usize,
    /// How many facilities make each change.
    changes: BTreeMap<String, usize>,
}

impl ChangeReport {
    fn new(layout: Layout) -> anyhow::Result<Self> {
        if layout == Layout::Csv {
            say(&row(&["facility", "code", "name", "prefecture", "axis", "from", "to", "why_ja", "why_en"])?);
        }
        if layout == Layout::Json {
            say("[");
        }
        Ok(Self { layout, facilities: 0, changes: BTreeMap::new() })
    }

    fn add(&mut self, named: &FacilityName, changes: Vec<Change>) -> anyhow::Result<()> {
        self.facilities += 1;
        for change in &changes {
            *self.changes.entry(arrow(change)).or_default() += 1;
        }
        let FacilityName { facility, code, name, prefecture } = named;
        match self.layout {
            Layout::Table => {
                say(&format!("{} {name}", code.as_deref().unwrap_or("-")));
                for change in &changes {
                    say(&format!("    {}  {} / {}", arrow(change), change.why.ja, change.why.en));
                }
            }
            Layout::Json => {
                let changed = FacilityChanges { facility: *facility, code: code.as_deref(), name, prefecture, changes };
                let comma = if self.facilities > 1 { "," } else { "" };
                say(&format!("{comma}{}", serde_json::to_string(&changed).context("failed to write JSON")?));
            }
            Layout::Csv => {
                for Change { axis, from, to, why } in &changes {
                    say(&row(&[
                        &facility.to_string(),
                        code.as_deref().unwrap_or_default(),
                        name,
                        prefecture,
                        axis,
                        from.as_deref().unwrap_or_default(),
                        to.as_deref().unwrap_or_default(),
                        &why.ja,
                        &why.en,
                    ])?);
                }
            }
        }
        Ok(())
    }

    fn sum_up(&self, looked_at: usize) {
        if self.layout == Layout::Json {
            say("]");
        }
        note(&format!(
            "{looked_at} 施設のうち {} 施設が変わります / {} of {} would change",
            self.facilities,
            self.facilities,
            output::facilities(looked_at)
        ));
        for (change, count) in &self.changes {
            note(&format!("  {count:>7}  {change}"));
        }
    }
}

fn arrow(change: &Change) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    format!("{}: {} → {}", change.axis, value(&change.from), value(&change.to))
}

/// One row of CSV without its line end. A spreadsheet must not interpret a name as a formula.
fn row(fields: &[&str]) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    let plain = fields.iter().map(|field| {
        if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{field}") } else { (*field).to_owned() }
    });
    writer.write_record(plain).context("failed to write CSV")?;
    let written =
        String::from_utf8(writer.into_inner().context("failed to write CSV")?).context("failed to write CSV")?;
    Ok(written.trim_end_matches('\n').to_owned())
}
