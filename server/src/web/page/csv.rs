//! `/facilities.csv`: the whole list as a file for a spreadsheet, in the reader's language.
//!
//! A spreadsheet evaluates a cell that begins like a formula, and people type the names: such cells get an apostrophe.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use csv::{Terminator, WriterBuilder};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use yomitori_facility::Text;
use yomitori_proto::code::Prefecture;

use crate::clock;
use crate::store::fleet::{self, Axis, StatusRow};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::http::query::FleetQuery;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;

/// Without the byte order mark, a Japanese spreadsheet decodes the file as Shift JIS.
const BYTE_ORDER_MARK: &str = "\u{feff}";
const ROWS_AT_ONCE: usize = 500;

static HEADINGS: [&Text; 17] = [
    &text::CODE,
    &text::NAME,
    &text::PREFECTURE,
    &text::ELIGIBLE,
    &text::EVIDENCE,
    &text::LEVEL,
    &text::FIRST_SUCCESS_JST,
    &text::LAST_SUCCESS_JST,
    &text::INTENT,
    &text::OPT_OUT_STAGE,
    &text::LISTING,
    &text::EQUIPMENT,
    &text::READERS_PRESENT,
    &text::FRESHNESS,
    &text::LAST_HEARD_JST,
    &text::FLAGS,
    &text::AS_OF_JST,
];

/// `/facilities.csv`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let asked = FleetQuery::of_page(query.as_deref())?;
    let turn = Arc::clone(&web.downloads).try_acquire_owned().map_err(|_| Failure::Busy)?;
    let lines = fleet::every(&web.files, &asked.filter, asked.order).await?;
    let head = HEADINGS.iter().map(|heading| lang.one(heading).to_owned());
    let head = format!("{BYTE_ORDER_MARK}{}", row(head));
    // A file keeps its permit and a connection until the last row is sent.
    let rows = lines.map_ok(move |line| {
        let _ = &turn;
        row(cells(lang, &line))
    });
    let rows = rows.try_chunks(ROWS_AT_ONCE);
    let rows = rows.map(|chunk| chunk.map(|rows| rows.concat()).map_err(|broken| broken.1));
    let body = Body::from_stream(stream::iter([Ok(head)]).chain(rows));
    let name = format!("facilities-{}.csv", when::minute(clock::now()).replace([' ', ':'], "-"));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, body).into_response())
}

fn cells(lang: Lang, line: &StatusRow) -> [String; 17] {
    let word = |axis, key: &str| word::label(lang, axis, key);
    let instant = |at: Option<DateTime<Utc>>| at.map(when::second).unwrap_or_default();
    let flags: Vec<String> = line.flags.iter().map(|flag| word::flag_label(lang, flag)).collect();
    [
        line.code.clone().unwrap_or_default(),
        line.name.clone(),
        prefecture(lang, &line.prefecture),
        word(Axis::Eligible, &line.eligible),
        word(Axis::Evidence, &line.evidence),
        line.evidence_level.as_deref().map(|level| word(Axis::Level, level)).unwrap_or_default(),
        instant(line.first_success_at),
        instant(line.last_success_at),
        word(Axis::Intent, &line.intent),
        word(Axis::OptOut, &line.opt_out),
        word(Axis::Listing, &line.listing),
        word(Axis::Equipment, &line.equipment),
        line.readers_present.to_string(),
        word(Axis::Freshness, &line.freshness),
        instant(line.last_seen_at),
        flags.join(" / "),
        when::second(line.folded_at),
    ]
}

/// The name of a prefecture from its two digits.
pub(in crate::web) fn prefecture(lang: Lang, digits: &str) -> String {
    digits.parse::<Prefecture>().map_or_else(
        |_| digits.to_owned(),
        |prefecture| match lang {
            Lang::Ja => prefecture.japanese().to_owned(),
            Lang::En => prefecture.english().to_owned(),
        },
    )
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(cells.into_iter().map(guarded)).expect("a line in memory accepts all writes");
    let line = writer.into_inner().expect("a line in memory accepts all writes");
    String::from_utf8(line).expect("cells are text")
}

fn guarded(cell: String) -> String {
    let computed = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if computed { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_computed_by_a_spreadsheet() {
        for cell in ["=1+1", "+81", "-1", "@SUM(A1)", "\t=1", "＝1"] {
            assert!(row([cell.to_owned()]).trim_start_matches('"').starts_with('\''), "{cell}");
        }
        assert_eq!(row(["=HYPERLINK(\"x\",1)".to_owned()]), "\"'=HYPERLINK(\"\"x\"\",1)\"\r\n");
    }

    #[test]
    fn ordinary_cells_stay_as_they_are() {
        assert_eq!(row(["0119999019".to_owned(), "読み取り, 内科".to_owned()]), "0119999019,\"読み取り, 内科\"\r\n");
    }
}
