//! Writes the status history beside the live projection: whenever the status of a facility changes, or a fact about its
//! past becomes known late.
//!
//! Most facts are recent. The state of an hour ago is kept, and the history since then is recomputed from it; only an
//! older fact has the history of a facility recomputed from an earlier state, or from its beginning.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_postgres::IsolationLevel;
use tokio_util::sync::CancellationToken;
use yomitori_facility::{FOLD, TimelineHead, TimelineSpan, timeline};

use super::policy::CurrentPolicy;
use crate::store::policy::Policy;
use crate::store::status_history::{self, BuiltHistory, Heads, PendingFacility};
use crate::store::{QueryContext as _, Store, StoreError, progress};
use crate::{clock, telemetry};
use yomitori_base::crash;

/// Facts are expected to be no older than this.
const SETTLES_AFTER: TimeDelta = TimeDelta::hours(1);
/// A fact older than this when it is folded counts as late. The difference to [`SETTLES_AFTER`] exceeds the time of a
/// transaction.
const LATE_AFTER: TimeDelta = TimeDelta::minutes(50);
/// Facilities recomputed in one transaction.
const AT_ONCE: i64 = 200;
/// The history waits while the live projection is further behind than this.
const FAR_BEHIND: i64 = 4000;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Whether a fact of the instant `at` that becomes known `now` is late.
pub(super) fn is_late(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at < now - LATE_AFTER
}

/// Writes the history until `stop`.
pub async fn run(store: Store, stop: CancellationToken) {
    let mut builder = HistoryBuilder { store, current: None };
    loop {
        let began = Instant::now();
        // Rests as long as it works, because the live projection has priority.
        let pause = match builder.recompute().await {
            Ok(0) => LOOK_EVERY,
            Ok(_) => began.elapsed(),
            Err(error) => {
                telemetry::history_failed(&error);
                builder.current = None;
                PAUSE_AFTER_FAILURE
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

struct HistoryBuilder {
    store: Store,
    /// Unknown at the start and after a failure.
    current: Option<CurrentPolicy>,
}

impl HistoryBuilder {
    /// Recomputes the facilities that are due next, and returns their number.
    async fn recompute(&mut self) -> Result<usize, StoreError> {
        if progress::behind(&self.store).await? > FAR_BEHIND {
            return Ok(0);
        }
        let policy = renewed(&mut self.current, &self.store).await?;
        let context = "begin the status history";
        let mut client = self.store.client().await?;
        // The due facilities and their facts are read at one instant: later facts make a facility due again.
        let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.start().await.context(context)?;
        let due = status_history::due(&transaction, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut built = Vec::with_capacity(due.len());
        for PendingFacility { facility, late_from } in due {
            let heads = status_history::heads(&transaction, facility, policy.hash, FOLD).await?;
            let Resumption { head, earlier } = resume(heads, late_from);
            let kept = head.as_ref().map(|head| head.through);
            let facts = status_history::facts(&transaction, facility, kept).await?;
            telemetry::history_facts_read(facts.len());
            let until = clock::now();
            let checkpoint = late_from.map(|from| from - (until - from).max(TimeDelta::zero()));
            let span = TimelineSpan { settled: until - SETTLES_AFTER, earlier: checkpoint, until };
            let timeline = block_in_place(|| timeline(facility, head, &facts, &policy.rules, &policy.calendar, span));
            let heads = Heads { last: timeline.head, earlier: timeline.earlier.or(earlier) };
            built.push(BuiltHistory { facility, kept, entries: timeline.entries, heads });
        }
        status_history::write(&transaction, &built, policy.hash, FOLD).await?;
        crash::point("history-before-commit");
        transaction.commit().await.context("commit the status history")?;
        telemetry::history_recomputed(built.len());
        Ok(built.len())
    }
}

/// Where a history is continued.
struct Resumption {
    head: Option<TimelineHead>,
    /// The earlier head, to be kept unless a newer one follows.
    earlier: Option<TimelineHead>,
}

/// Continues from the newest head before everything that has changed. A terminal whose clock is hours slow sends facts that
/// lie before the last head each time: for those there is an earlier one, twice as far back as they were late.
fn resume(heads: Option<Heads>, late_from: Option<DateTime<Utc>>) -> Resumption {
    let Some(Heads { last, earlier }) = heads else { return Resumption { head: None, earlier: None } };
    let is_before = |head: &TimelineHead| late_from.is_none_or(|from| from > head.through);
    if is_before(&last) {
        return Resumption { head: Some(last), earlier };
    }
    let head = earlier.filter(is_before);
    Resumption { earlier: head.clone(), head }
}

/// Reads the policy in force; after a change, every facility is due.
async fn renewed<'a>(current: &'a mut Option<CurrentPolicy>, store: &Store) -> Result<&'a Policy, StoreError> {
    let (now, other) = match current.take() {
        Some(mut now) => {
            let other = now.renew(store).await?;
            (now, other)
        }
        None => (CurrentPolicy::now(store).await?, true),
    };
    let CurrentPolicy { policy, .. } = current.insert(now);
    if other {
        status_history::outdated(store, policy.hash, FOLD).await?;
    }
    Ok(policy)
}
