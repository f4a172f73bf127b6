//! The command line of `yomitori-truth`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::{Days, NaiveDate};
use clap::Parser;
use yomitori_facility::{Calendar, Rules};

use super::assumptions::Assumptions;
use super::history::{History, Stretch};
use super::judge::curve::{self, Variant};
use super::judge::report::{self, Row};
use super::judge::{self, Tally, Verdict};
use super::site::Site;

const EXAMPLES: &str = "Examples:
  tests/truth                                  2,000 months and 200 years, about two minutes
  tests/truth --months 200 --years 20 --seed 7 a quick look at other sites
  tests/truth --curve                          and what other rules would give, and what wrong delays do
  tests/truth --curve --vary correlation_to_s=15,30,60
  tests/truth --assume never_works=0.5 --assume one_at_a_time=true
  tests/truth --write histories                twelve histories to look at: yomitori-server explain --events FILE";

/// Compares the fold with histories of known truth, and prints its accuracy.
#[derive(Parser)]
#[command(name = "tests/truth", after_help = EXAMPLES)]
struct Arguments {
    /// Number of sites that live for a month.
    #[arg(long, default_value_t = 2000)]
    months: u64,
    /// Number of sites without working phones that live for a year.
    #[arg(long, default_value_t = 200)]
    years: u64,
    /// The same number gives the same histories.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Change an assumption; the value is JSON.
    #[arg(long, value_name = "NAME=VALUE")]
    assume: Vec<String>,
    /// A file of rules to use instead of the bundled ones.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Also print the results of other rules, and the cost if phones and cards take half or double as long.
    #[arg(long)]
    curve: bool,
    /// For the curve: a field of the rules and its values.
    #[arg(long, value_name = "FIELD=VALUE,VALUE", requires = "curve")]
    vary: Vec<String>,
    /// Judge nothing: write some histories to this folder, each with its ledger.
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Number of histories to write.
    #[arg(long, default_value_t = 12, requires = "write")]
    histories: u64,
}

const MONTH: u64 = 30;
const YEAR: u64 = 365;
/// The first days of histories lie in the two hundred days from here on.
const FROM: NaiveDate = NaiveDate::from_ymd_opt(2026, 2, 2).expect("a date");
/// The curve and the wrong delays use this fraction of the months.
const OF_MONTHS: u64 = 4;

/// Runs the command line of this process.
///
/// # Errors
/// If the command fails. The error contains the reason.
pub fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut assumptions = Assumptions::default();
    for other in &arguments.assume {
        assumptions = assumptions.with(other)?;
    }
    say(&format!("Assumed, of every site or within these ranges:\n{assumptions}\n"));
    if let Some(folder) = &arguments.write {
        return write(folder, &assumptions, &arguments);
    }
    let rules = match &arguments.rules {
        Some(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("read `{}`", file.display()))?;
            Rules::parse(&text).map_err(|mistakes| anyhow::anyhow!("{mistakes:#?}"))?
        }
        None => Rules::bundled(),
    };
    let (seed, months) = (arguments.seed, arguments.months);
    let plain = vec![("bundled rules".to_owned(), rules.clone())];
    let verdicts = run(&assumptions, seed, (months, MONTH), &plain, |_| {});
    let rows = report::by_kind(&tallies(&verdicts[0]));
    say(&format!("{months} sites for a month each:\n{}", report::table(&rows)));
    let of_years = run(&assumptions, seed ^ 0x_59ea_0000, (arguments.years, YEAR), &plain, never_works);
    let years = report::by_kind(&tallies(&of_years[0]));
    say(&format!("{} sites where phones never work, for a year each:\n{}", arguments.years, report::table(&years)));
    let total = |rows: &[Row]| rows.last().map(|(_, tally)| *tally).unwrap_or_default();
    say(&report::bars(&total(&rows), &total(&years)));
    if arguments.curve {
        trade_off(&assumptions, &arguments, &rules)?;
    }
    Ok(())
}

fn trade_off(assumptions: &Assumptions, arguments: &Arguments, rules: &Rules) -> Result<()> {
    let (seed, months) = (arguments.seed, arguments.months.div_ceil(OF_MONTHS));
    let mut variants = vec![("as above".to_owned(), rules.clone())];
    variants.extend(curve::variants(&arguments.vary)?);
    let rows = summed(&run(assumptions, seed, (months, MONTH), &variants, |_| {}), &variants);
    say(&format!("Other rules, the first {months} of the months:\n{}", report::table(&rows)));
    let mut rows = Vec::new();
    for times in [0.5, 1.0, 2.0] {
        let named = vec![(format!("delays × {times}"), rules.clone())];
        rows.extend(summed(&run(&assumptions.slower(times), seed, (months, MONTH), &named, |_| {}), &named));
    }
    say(&format!("Phones and cards that take other times than the rules assume:\n{}", report::table(&rows)));
    Ok(())
}

fn never_works(site: &mut Site) {
    site.phones_work = false;
}

/// The verdicts on the sites for the given number of days each, by variant of the rules.
fn run(
    assumptions: &Assumptions,
    seed: u64,
    (sites, days): (u64, u64),
    variants: &[Variant],
    choose: impl Fn(&mut Site),
) -> Vec<Vec<Verdict>> {
    let calendar = Calendar::bundled();
    let mut verdicts = vec![Vec::new(); variants.len()];
    for number in 0..sites {
        let history = History::new(assumptions, mixed(seed, number), stretch(number, days), &choose);
        for ((_, rules), verdicts) in variants.iter().zip(&mut verdicts) {
            verdicts.push(judge::judge(&history, rules, &calendar));
        }
    }
    verdicts
}

fn tallies(verdicts: &[Verdict]) -> Vec<(super::Kind, Tally)> {
    let one = |verdict: &Verdict| {
        let mut tally = Tally::default();
        tally.add(verdict);
        (verdict.kind, tally)
    };
    verdicts.iter().map(one).collect()
}

fn summed(verdicts: &[Vec<Verdict>], variants: &[Variant]) -> Vec<Row> {
    let of = |(verdicts, (name, _)): (&Vec<Verdict>, &Variant)| {
        let mut tally = Tally::default();
        verdicts.iter().for_each(|verdict| tally.add(verdict));
        (name.clone(), tally)
    };
    verdicts.iter().zip(variants).map(of).collect()
}

fn write(folder: &Path, assumptions: &Assumptions, arguments: &Arguments) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("make `{}`", folder.display()))?;
    for number in 0..arguments.histories {
        let seed = mixed(arguments.seed, number);
        let history = History::new(assumptions, seed, stretch(number, MONTH), |_| {});
        let name = format!("{number:03}-{}", history.ledger.kind.name().replace(' ', "-"));
        let facts = folder.join(format!("{name}.jsonl"));
        let mut out = BufWriter::new(File::create(&facts).with_context(|| format!("write `{}`", facts.display()))?);
        history.write(&mut out).and_then(|()| out.flush()).with_context(|| format!("write `{}`", facts.display()))?;
        let ledger = folder.join(format!("{name}.ledger.json"));
        let text = serde_json::to_string_pretty(&history.ledger)?;
        fs::write(&ledger, text).with_context(|| format!("write `{}`", ledger.display()))?;
        let (reads, failures) = (history.ledger.reads.len(), history.ledger.failures.len());
        let works = if history.ledger.phones_work { "" } else { ", phones never work" };
        say(&format!("{}: {} facts, {reads} reads, {failures} failed{works}", facts.display(), history.facts.len()));
    }
    Ok(())
}

fn stretch(number: u64, days: u64) -> Stretch {
    Stretch { first: FROM + Days::new(number * 37 % 200), days }
}

/// A separate seed for each number (SplitMix64).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Prints a line; a closed output doesn't stop the run.
fn say(text: &str) {
    writeln!(io::stdout(), "{text}").ok();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_understood_and_a_few_months_are_judged() {
        Arguments::command().debug_assert();
        let assumptions = Assumptions::default().with("kinds=[1.0,0.0,0.0,1.0]").unwrap();
        assert!(assumptions.with("no_such=1").is_err() && assumptions.with("kinds=3").is_err());
        let variants = vec![("bundled".to_owned(), Rules::bundled())];
        let verdicts = run(&assumptions, 1, (6, MONTH), &variants, |_| {});
        let rows = report::by_kind(&tallies(&verdicts[0]));
        let (_, all) = rows.last().unwrap();
        assert_eq!(all.histories, 6);
        assert!(all.reads > 0 && all.right <= all.reads && all.right <= all.claimed, "{all:?}");
        assert_eq!(report::table(&rows).lines().count(), 6);
        assert_eq!(report::bars(all, &Tally::default()).lines().count(), 7);
        let never = run(&assumptions, 1, (2, MONTH), &variants, never_works);
        assert!(never[0].iter().all(|verdict| verdict.reads == 0 && !verdict.phones_work), "{never:?}");
    }
}
