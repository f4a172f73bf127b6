//! Tells what was true when, beside the live projection: whenever a facility comes to say something else, or something
//! becomes known of it that was so long ago.
//!
//! Most of what becomes known was so a moment ago. The state of an hour ago is kept, and what was so since is told anew from
//! there; only what is older than that has a facility told from its beginning.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_postgres::IsolationLevel;
use tokio_util::sync::CancellationToken;
use yomitori_facility::{FOLD, TimelineSpan, timeline};

use super::policy::CurrentPolicy;
use crate::store::policy::Policy;
use crate::store::status_history::{self, PendingFacility};
use crate::store::{QueryContext as _, Store, StoreError, progress};
use crate::{clock, telemetry};
use yomitori_base::crash;

/// What becomes known is expected to be no older than this.
const SETTLES_AFTER: TimeDelta = TimeDelta::hours(1);
/// What is folded now and was so before this is told to be late. It is less than the other by more than a transaction takes.
const LATE_AFTER: TimeDelta = TimeDelta::minutes(50);
/// Facilities told in one transaction.
const AT_ONCE: i64 = 200;
/// While the live projection is further behind than this, it is left alone.
const FAR_BEHIND: i64 = 4000;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Whether what was so at `at` becomes known late `now`.
pub(super) fn is_late(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at < now - LATE_AFTER
}

/// Tells until `stop`.
pub(super) async fn run(store: Store, stop: CancellationToken) {
    let mut historian = HistoryBuilder { store, current: None };
    loop {
        let began = Instant::now();
        // As much rest as work: the live projection comes first.
        let pause = match historian.tell().await {
            Ok(0) => LOOK_EVERY,
            Ok(_) => began.elapsed(),
            Err(error) => {
                telemetry::history_failed(&error);
                historian.current = None;
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
    /// Tells what is due next; says of how many facilities.
    async fn tell(&mut self) -> Result<usize, StoreError> {
        if progress::behind(&self.store).await? > FAR_BEHIND {
            return Ok(0);
        }
        let policy = renewed(&mut self.current, &self.store).await?;
        let context = "begin to tell what was true";
        let mut client = self.store.client().await?;
        // What is due and what is known are of one instant: what comes later is due again.
        let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.start().await.context(context)?;
        let due = status_history::due(&transaction, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut told = Vec::with_capacity(due.len());
        for PendingFacility { facility, late_from } in due {
            let head = status_history::head(&transaction, facility, policy.hash, FOLD).await?;
            let head = head.filter(|head| late_from.is_none_or(|from| from > head.through));
            let kept = head.as_ref().map(|head| head.through);
            let facts = status_history::facts(&transaction, facility, kept).await?;
            let until = clock::now();
            let span = TimelineSpan { settled: until - SETTLES_AFTER, until };
            let timeline = block_in_place(|| timeline(facility, head, &facts, &policy.rules, &policy.calendar, span));
            told.push((facility, kept, timeline));
        }
        status_history::write(&transaction, &told, policy.hash, FOLD).await?;
        crash::point("history-before-commit");
        transaction.commit().await.context("commit what was true")?;
        telemetry::history_recomputed(told.len());
        Ok(told.len())
    }
}

/// By what is told now; where that is something else than before, all is due.
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
