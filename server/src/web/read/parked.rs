//! The records of a blocked facility, page by page.

use crate::store::waiting::Position;
use crate::web::http::error::Failure;
use crate::web::http::query::QueryParameters;

/// The record after which a page begins.
pub(in crate::web) fn after(given: &QueryParameters) -> Result<Option<Position>, Failure> {
    let read = |text: &str| text.parse::<Position>();
    given.get("after").map(read).transpose().map_err(|_| {
        Failure::parameter(
            "after",
            "「次へ」のリンクから開いてください。",
            "must be a position in the log such as 2:17.",
        )
    })
}
