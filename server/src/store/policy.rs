//! The rules and the calendar in force: the last adoption and every closure in the log.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use yomitori_facility::{Calendar, Fleet, Rules};
use yomitori_proto::event::Recorded;
use yomitori_proto::id::FacilityId;

use super::fact::StoredFact;
use super::{QueryContext as _, Store, StoreError, fact};

/// The rules and the calendar by which facilities are judged.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    pub rules: Rules,
    pub calendar: Calendar,
    /// Policies with the same hash give every facility the same status.
    pub hash: i64,
}

impl Policy {
    /// The bundled policy, changed by the facts about the fleet.
    #[must_use]
    pub fn of<'a>(statements: impl IntoIterator<Item = &'a Recorded>) -> Self {
        let mut fleet = Fleet::new(Rules::bundled(), Calendar::bundled());
        for recorded in statements {
            // Rules that cannot be parsed were never adopted: the command rejects them, and an older program keeps its
            //own.
            fleet.apply(recorded).ok();
        }
        let Fleet { rules, calendar, .. } = fleet;
        let digest = Sha256::new().chain_update(rules.document()).chain_update(calendar.document()).finalize();
        let hash = digest.first_chunk().copied().map(i64::from_be_bytes).expect("a digest has 32 bytes");
        Self { rules, calendar, hash }
    }
}

/// The policy in force now.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn now(store: &Store) -> Result<Policy, StoreError> {
    Ok(Policy::of(statements(store).await?.iter().map(|stored| &stored.recorded)))
}

/// The policy in force at `at`.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn at(store: &Store, at: DateTime<Utc>) -> Result<Policy, StoreError> {
    let facts = statements(store).await?;
    Ok(Policy::of(facts.iter().map(|stored| &stored.recorded).filter(|recorded| recorded.received_at <= at)))
}

/// Every adoption and every closure, in order.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn statements(store: &Store) -> Result<Vec<StoredFact>, StoreError> {
    fact::of_kinds(store, FacilityId::FLEET, &KINDS).await
}

/// The position of the newest adoption or closure.
pub async fn newest(store: &Store) -> Result<Option<i64>, StoreError> {
    let query = "SELECT max(log_offset) FROM projection.fact WHERE facility_id = $1 AND kind = ANY($2)";
    let client = store.client().await?;
    let row = client.query_one(query, &[&FacilityId::FLEET.0, &KINDS.as_slice()]).await;
    Ok(row.context("read the newest rules")?.get(0))
}

const KINDS: [&str; 3] = ["rules_adopted", "closure_set", "statement_withdrawn"];
