//! The results of the benches as one table: on the screen, as Markdown and as JSON.
//!
//! Each run of a bench writes its part under `target/bench/parts`. The table is built from all parts, so a single bench
//! can be repeated. Figures are recorded without a verdict.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::number::number;

/// The target of a figure: for its value, or for its ratio to the comparison.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
    RatioAtLeast(f64),
    RatioAtMost(f64),
}

/// The same measure of other software, in the same run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Beside {
    pub what: String,
    pub value: f64,
}

/// One measurement.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: String,
    pub beside: Option<Beside>,
    pub ratio: Option<f64>,
    pub bar: Option<Bar>,
}

impl Figure {
    #[must_use]
    pub fn new(what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { what: what.into(), value, unit: unit.to_owned(), beside: None, ratio: None, bar: None }
    }

    /// Adds a comparison with `what`, whose `value` has the same unit.
    #[must_use]
    pub fn beside(mut self, what: impl Into<String>, value: f64) -> Self {
        self.ratio = Some(self.value / value).filter(|ratio| ratio.is_finite());
        self.beside = Some(Beside { what: what.into(), value });
        self
    }

    #[must_use]
    pub const fn promised(mut self, bar: Bar) -> Self {
        self.bar = Some(bar);
        self
    }

    fn cells(&self) -> [String; 5] {
        let Self { what, value, unit, beside, ratio, bar } = self;
        let bar = bar.map(|bar| match bar {
            Bar::AtLeast(bar) => format!("≥ {}", number(bar)),
            Bar::AtMost(bar) => format!("≤ {}", number(bar)),
            Bar::RatioAtLeast(bar) => format!("ratio ≥ {}", number(bar)),
            Bar::RatioAtMost(bar) => format!("ratio ≤ {}", number(bar)),
        });
        [
            what.clone(),
            format!("{} {unit}", number(*value)),
            beside.as_ref().map(|Beside { what, value }| format!("{what}: {}", number(*value))).unwrap_or_default(),
            ratio.map(number).unwrap_or_default(),
            bar.unwrap_or_default(),
        ]
    }
}

/// The results of one run of a bench.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// The arguments of `tests/bench`.
    pub bench: String,
    pub at: DateTime<Utc>,
    pub machine: Machine,
    pub figures: Vec<Figure>,
}

/// Collects the results of a bench.
pub struct Report {
    say: fn(&str),
    figures: RefCell<Vec<Figure>>,
}

impl Report {
    #[must_use]
    pub const fn new(say: fn(&str)) -> Self {
        Self { say, figures: RefCell::new(Vec::new()) }
    }

    /// Prints a progress line.
    pub fn say(&self, line: &str) {
        (self.say)(line);
    }

    /// Adds a row to the table.
    pub fn add(&self, figure: Figure) {
        self.figures.borrow_mut().push(figure);
    }

    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        self.figures.borrow().clone()
    }
}

impl Part {
    /// Writes the part below `folder`, replacing the previous one of the same bench, and writes the table again.
    ///
    /// # Errors
    /// If a file can't be written or read.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let parts = folder.join("parts");
        std::fs::create_dir_all(&parts).with_context(|| format!("make {parts:?}"))?;
        let name: String = self.bench.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        write(&parts.join(format!("{name}.json")), &serde_json::to_string_pretty(self)?)?;
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&parts).with_context(|| format!("look into {parts:?}"))? {
            let path = entry.context("look at a part")?.path();
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {path:?}"))?;
            all.push(serde_json::from_str(&text).with_context(|| format!("parse {path:?} (delete it)"))?);
        }
        all.sort_by(|one: &Self, other| one.bench.cmp(&other.bench));
        write(&folder.join("figures.md"), &markdown(&all))?;
        write(&folder.join("figures.json"), &serde_json::to_string_pretty(&all)?)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {path:?}"))
}

/// All parts as one document.
#[must_use]
pub fn markdown(parts: &[Part]) -> String {
    let mut text = String::new();
    for Part { bench, at, machine, figures } in parts {
        let at = at.format("%Y-%m-%d %H:%M UTC");
        writeln!(text, "### tests/bench {bench}\n\n{at}; {machine}.\n").expect("a string grows");
        text.push_str("| what | measured | beside it | ratio | bar |\n|---|---|---|---|---|\n");
        for figure in figures {
            let cells = figure.cells().map(|cell| cell.replace('|', "\\|"));
            writeln!(text, "| {} |", cells.join(" | ")).expect("a string grows");
        }
        text.push('\n');
    }
    text
}

/// The rows for a screen, with aligned columns.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let head = ["what", "measured", "beside it", "ratio", "bar"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(figures.iter().map(Figure::cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bench: &str, value: f64) -> Part {
        let machine = Machine { cores: 2, memory_mib: 24_105, kernel: "6.1".into(), busy: 0.5, versions: [].into() };
        let figure = Figure::new("ingest", value, "events/s").beside("a | producer", 600_000.0);
        let figures = vec![figure.promised(Bar::RatioAtLeast(0.5)), Figure::new("p99", 12.34, "ms")];
        Part { bench: bench.to_owned(), at: DateTime::UNIX_EPOCH, machine, figures }
    }

    #[test]
    fn a_ratio_follows_from_the_comparison() {
        assert_eq!(found("x", 300_000.0).figures[0].ratio, Some(0.5));
        assert_eq!(Figure::new("x", 1.0, "s").beside("nothing", 0.0).ratio, None);
    }

    #[test]
    fn the_table_has_measurement_comparison_and_target() {
        let text = markdown(&[found("ingest", 300_000.0)]);
        let row = "| ingest | 300,000 events/s | a \\| producer: 600,000 | 0.50 | ratio ≥ 0.50 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| p99 | 12.3 ms |  |  |  |"), "{text}");
        let lines = table(&found("ingest", 300_000.0).figures);
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.lines().nth(2).is_some_and(|line| line.starts_with("p99     12.3 ms")), "{lines}");
    }

    #[test]
    fn a_repeated_bench_replaces_only_its_own_part() {
        let folder = tempfile::tempdir().unwrap();
        found("ingest", 1.0).save(folder.path()).unwrap();
        found("growth --most 1", 2.0).save(folder.path()).unwrap();
        found("ingest", 3.0).save(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("figures.json")).unwrap();
        let parts: Vec<Part> = serde_json::from_str(&text).unwrap();
        let seen: Vec<_> = parts.iter().map(|part| (part.bench.as_str(), part.figures[0].value)).collect();
        assert_eq!(seen, [("growth --most 1", 2.0), ("ingest", 3.0)]);
        assert!(folder.path().join("figures.md").exists());
    }
}
