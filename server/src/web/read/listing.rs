//! A snapshot of the ministry's list, one view of the rows at a time.

use uuid::Uuid;
use yomitori_proto::id::SnapshotId;

use crate::store::Store;
use crate::store::listing::change::{self, RowChange, Side, Tally};
use crate::store::listing::newest::before;
use crate::store::listing::row::Unmatched;
use crate::store::listing::{self, ListSnapshot};
use crate::web::http::error::Failure;

/// The views of a snapshot.
pub(in crate::web) const VIEWS: [&str; 4] = ["unmatched", "ours", "appeared", "disappeared"];

/// A page of rows.
pub(in crate::web) enum Rows {
    Unmatched(Vec<Unmatched>),
    Plain(Vec<RowChange>),
}

/// Finds a snapshot by its identifier, and returns it with all snapshots.
pub(in crate::web) async fn named(store: &Store, text: &str) -> Result<(Vec<ListSnapshot>, usize), Failure> {
    let id = Uuid::parse_str(text).map_err(|_| Failure::NoPage)?;
    let all = listing::all(store).await?;
    let place = all.iter().position(|snapshot| snapshot.snapshot == SnapshotId(id)).ok_or(Failure::NoPage)?;
    Ok((all, place))
}

/// A page of one view of a snapshot, and the number of rows of the view.
pub(in crate::web) async fn rows(
    store: &Store,
    all: &[ListSnapshot],
    snapshot: &ListSnapshot,
    tally: Tally,
    view: &str,
    (limit, page): (i64, i64),
) -> Result<(Rows, i64), Failure> {
    let (id, offset) = (snapshot.snapshot, (page - 1) * limit);
    let which = match view {
        "ours" => return Ok((Rows::Plain(change::ours(store, id, limit, offset).await?), tally.ours)),
        "appeared" => Side::Appeared,
        "disappeared" => Side::Disappeared,
        _ => return Ok((Rows::Unmatched(change::unmatched(store, id, limit, offset).await?), tally.unmatched)),
    };
    let Some(before) = before(all, snapshot) else { return Ok((Rows::Plain(Vec::new()), 0)) };
    let old = before.snapshot;
    let (rows, count) =
        tokio::try_join!(change::changed(store, which, old, id, limit, offset), change::count(store, which, old, id),)?;
    Ok((Rows::Plain(rows), count.rows))
}
