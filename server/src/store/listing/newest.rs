//! The newest accepted snapshot of every kind of list, and what it changed.

use serde::Serialize;
use uuid::Uuid;

use super::super::{QueryContext as _, Store, StoreError};
use super::ListSnapshot;
use super::change::{Count, Tally};

/// The newest accepted snapshot of a kind, and what it changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Newest {
    pub snapshot: ListSnapshot,
    pub tally: Tally,
    /// The changes since the previous one, if there is one.
    pub change: Option<SnapshotChange>,
}

/// What appeared and disappeared between two snapshots of a kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SnapshotChange {
    pub before: ListSnapshot,
    pub appeared: Count,
    pub disappeared: Count,
}

/// At most this many kinds are compared; there are 47 prefectures.
const KINDS: usize = 60;

impl ListSnapshot {
    fn is_of_the_kind_of(&self, other: &Self) -> bool {
        self.source == other.source && self.coverage == other.coverage
    }
}

/// The newest accepted one of each kind; `all` are all snapshots, the newest first.
#[must_use]
pub fn of_each_kind(all: &[ListSnapshot]) -> Vec<&ListSnapshot> {
    let mut newest: Vec<&ListSnapshot> = Vec::new();
    for snapshot in all.iter().filter(|snapshot| !snapshot.quarantined()) {
        if !newest.iter().any(|known| known.is_of_the_kind_of(snapshot)) {
            newest.push(snapshot);
        }
    }
    newest
}

/// The accepted one of the same kind before `snapshot`; `all` are all snapshots, the newest first.
#[must_use]
pub fn before<'a>(all: &'a [ListSnapshot], snapshot: &ListSnapshot) -> Option<&'a ListSnapshot> {
    let index = all.iter().position(|other| other.snapshot == snapshot.snapshot)?;
    all[index + 1..].iter().find(|other| other.is_of_the_kind_of(snapshot) && !other.quarantined())
}

/// The newest of each kind with its counts, in one query; `all` are all snapshots, the newest first.
pub async fn newest(store: &Store, all: &[ListSnapshot]) -> Result<Vec<Newest>, StoreError> {
    const QUERY: &str = "SELECT t.ours, t.unmatched, t.retired, s.suggested, a.rows, a.ours, d.rows, d.ours \
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS pair(new, old, number) \
        CROSS JOIN LATERAL (SELECT count(facility_id) AS ours, count(*) - count(facility_id) AS unmatched, \
            count(*) FILTER (WHERE retired) AS retired FROM registry.snapshot_row WHERE snapshot_id = new) t \
        CROSS JOIN LATERAL (SELECT count(DISTINCT g.row_index) AS suggested FROM registry.snapshot_suggestion g \
            JOIN registry.snapshot_row u ON u.snapshot_id = g.snapshot_id AND u.row_index = g.row_index \
            WHERE g.snapshot_id = new AND u.facility_id IS NULL) s \
        CROSS JOIN LATERAL (SELECT count(*) AS rows, count(r.facility_id) AS ours FROM registry.snapshot_row r \
            WHERE r.snapshot_id = new AND old IS NOT NULL AND NOT EXISTS \
            (SELECT FROM registry.snapshot_row o WHERE o.snapshot_id = old AND o.code = r.code)) a \
        CROSS JOIN LATERAL (SELECT count(*) AS rows, count(r.facility_id) AS ours FROM registry.snapshot_row r \
            WHERE r.snapshot_id = old AND NOT EXISTS \
            (SELECT FROM registry.snapshot_row o WHERE o.snapshot_id = new AND o.code = r.code)) d \
        ORDER BY number";
    let pairs: Vec<_> =
        of_each_kind(all).into_iter().take(KINDS).map(|snapshot| (snapshot, before(all, snapshot))).collect();
    let new: Vec<Uuid> = pairs.iter().map(|(snapshot, _)| snapshot.snapshot.0).collect();
    let old: Vec<Option<Uuid>> = pairs.iter().map(|(_, before)| before.map(|before| before.snapshot.0)).collect();
    let rows = store.client().await?.query(QUERY, &[&new, &old]).await.context("compare the newest snapshots")?;
    let described = pairs.into_iter().zip(rows).map(|((snapshot, before), row)| {
        let count = |index| Count { rows: row.get(index), ours: row.get(index + 1) };
        let change =
            before.map(|before| SnapshotChange { before: before.clone(), appeared: count(4), disappeared: count(6) });
        let tally = Tally { ours: row.get(0), unmatched: row.get(1), retired: row.get(2), suggested: row.get(3) };
        Newest { snapshot: snapshot.clone(), tally, change }
    });
    Ok(described.collect())
}
