//! The results, as tables for people.

use std::fmt::Write as _;

use super::tally::{Part, Tally};
use crate::truth::site::Kind;

/// A row's name and results.
pub type Row = (String, Tally);

const TITLES: [&str; 11] = [
    "",
    "histories",
    "reads",
    "claimed",
    "read prec.",
    "read recall",
    "elig. prec.",
    "elig. recall",
    "never-sites called",
    "after 3 reads",
    "after 1, quiet",
];

/// Rows by kind of desk, and the total.
#[must_use]
pub fn by_kind(tallies: &[(Kind, Tally)]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut all = Tally::default();
    for kind in Kind::ALL {
        let mut sum = Tally::default();
        tallies.iter().filter(|(of, _)| *of == kind).for_each(|(_, tally)| sum.take(tally));
        all.take(&sum);
        rows.push((kind.name().to_owned(), sum));
    }
    rows.push(("all".to_owned(), all));
    rows
}

/// The rows as a table.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut cells = vec![TITLES.iter().map(|title| (*title).to_owned()).chain(["attested".to_owned()]).collect()];
    cells.extend(rows.iter().map(|(what, tally)| {
        let parts = [
            tally.precision(),
            tally.recall(),
            tally.eligible,
            tally.found,
            tally.never,
            tally.after_third,
            tally.after_first,
            tally.after_attested,
        ];
        let counts = [tally.histories, tally.reads, tally.claimed].map(|count| count.to_string());
        let head = std::iter::once(what.clone()).chain(counts);
        // The counts of the read precision and recall are already in the row.
        let brief = parts[..2].iter().map(|part| percent(*part));
        head.chain(brief).chain(parts[2..].iter().map(|part| with_counts(*part))).collect::<Vec<String>>()
    }));
    let columns = cells[0].len();
    let widths: Vec<usize> =
        (0..columns).map(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &cells {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let written =
                if column == 0 { write!(text, "{cell:<width$}") } else { write!(text, "{gap}{cell:>width$}") };
            written.expect("a string grows");
        }
        text.push('\n');
    }
    text
}

/// The targets, and whether they are met.
#[must_use]
pub fn bars(month: &Tally, year: &Tally) -> String {
    let all = [
        ("eligible precision", month.eligible, true, 99.0),
        ("never-sites called eligible in a month", month.never, false, 2.0),
        ("never-sites called eligible in a year", year.never, false, 4.0),
        ("eligible after three true reads", month.after_third, true, 97.0),
        ("eligible after one, at a quiet clinic", month.after_first, true, 60.0),
        ("eligible once the desk attested one", month.after_attested, true, 99.0),
        ("read precision", month.precision(), true, 95.0),
    ];
    let mut text = String::new();
    for (what, part, at_least, bar) in all {
        let met = part.percent().is_none_or(|found| if at_least { found >= bar } else { found <= bar });
        let (sign, verdict) = (if at_least { "≥" } else { "≤" }, if met { "met" } else { "NOT MET" });
        writeln!(text, "  {what:<40} {:>20}   promised {sign} {bar} %   {verdict}", with_counts(part))
            .expect("a string grows");
    }
    text
}

fn percent(part: Part) -> String {
    part.percent().map_or_else(|| "–".to_owned(), |percent| format!("{percent:.1} %"))
}

fn with_counts(part: Part) -> String {
    if part.of == 0 { "–".to_owned() } else { format!("{} ({}/{})", percent(part), part.good, part.of) }
}
