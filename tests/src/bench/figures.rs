//! What the benches found, as one table: on the screen, as Markdown and as JSON.
//!
//! Each run of a bench leaves its part under `target/bench/parts`; the table is put together of all parts that are there,
//! so that one bench can be repeated without the others. A figure is written down, never judged.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::machine::Machine;

/// What was promised of a figure: of its value, or of its ratio to what it was measured beside.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
    RatioAtLeast(f64),
    RatioAtMost(f64),
}

/// The same measure of something else, in the same run.
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

    /// Beside `what`, which came to `value` in the same unit.
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

/// What one run of a bench found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// The words behind `tests/bench`.
    pub bench: String,
    pub at: DateTime<Utc>,
    pub machine: Machine,
    pub figures: Vec<Figure>,
}

/// Where a bench tells what it finds.
pub struct Report {
    say: fn(&str),
    figures: RefCell<Vec<Figure>>,
}

impl Report {
    #[must_use]
    pub const fn new(say: fn(&str)) -> Self {
        Self { say, figures: RefCell::new(Vec::new()) }
    }

    /// A line for whoever looks on.
    pub fn say(&self, line: &str) {
        (self.say)(line);
    }

    /// A row of the table.
    pub fn add(&self, figure: Figure) {
        self.figures.borrow_mut().push(figure);
    }

    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        self.figures.borrow().clone()
    }
}

impl Part {
    /// Writes it below `folder`, in place of what the same bench found before, and puts the table together anew.
    ///
    /// # Errors
    /// When a file can't be written or read.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let parts = folder.join("parts");
        std::fs::create_dir_all(&parts).with_context(|| format!("make {parts:?}"))?;
        let name: String = self.bench.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        write(&parts.join(format!("{name}.json")), &serde_json::to_string_pretty(self)?)?;
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&parts).with_context(|| format!("look into {parts:?}"))? {
            let path = entry.context("look at a part")?.path();
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {path:?}"))?;
            all.push(serde_json::from_str(&text).with_context(|| format!("understand {path:?} (delete it)"))?);
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

/// The rows for a screen: columns in line.
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

/// With as many digits as say something, and a comma between thousands.
#[must_use]
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 3,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.char_indices() {
        let left = whole.len() - index;
        if left.is_multiple_of(3) && grouped.ends_with(|c: char| c.is_ascii_digit()) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
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
    fn a_number_has_the_digits_that_say_something() {
        let cases = [
            (1_234_567.8, "1,234,568"),
            (600.0, "600"),
            (123.4, "123"),
            (12.34, "12.3"),
            (0.512, "0.51"),
            (0.0123, "0.012"),
            (3.0, "3"),
            (-1234.0, "-1,234"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn a_ratio_follows_from_what_it_stands_beside() {
        assert_eq!(found("x", 300_000.0).figures[0].ratio, Some(0.5));
        assert_eq!(Figure::new("x", 1.0, "s").beside("nothing", 0.0).ratio, None);
    }

    #[test]
    fn the_table_says_what_was_measured_beside_what_and_what_was_promised() {
        let text = markdown(&[found("ingest", 300_000.0)]);
        let row = "| ingest | 300,000 events/s | a \\| producer: 600,000 | 0.50 | ratio ≥ 0.50 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| p99 | 12.3 ms |  |  |  |"), "{text}");
        let lines = table(&found("ingest", 300_000.0).figures);
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.lines().nth(2).is_some_and(|line| line.starts_with("p99     12.3 ms")), "{lines}");
    }

    #[test]
    fn a_bench_that_runs_again_replaces_its_own_part_only() {
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
