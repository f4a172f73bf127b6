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
use yomitori_facility::{FOLD, Span, timeline};

use super::basis::Basis;
use crate::store::ground::Ground;
use crate::store::truth::{self, Due};
use crate::store::{Doing as _, Store, StoreError, progress};
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
    let mut historian = Historian { store, basis: None };
    loop {
        let began = Instant::now();
        // As much rest as work: the live projection comes first.
        let pause = match historian.tell().await {
            Ok(0) => LOOK_EVERY,
            Ok(_) => began.elapsed(),
            Err(error) => {
                telemetry::history_failed(&error);
                historian.basis = None;
                PAUSE_AFTER_FAILURE
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

struct Historian {
    store: Store,
    /// Unknown at the start and after a failure.
    basis: Option<Basis>,
}

impl Historian {
    /// Tells what is due next; says of how many facilities.
    async fn tell(&mut self) -> Result<usize, StoreError> {
        if progress::behind(&self.store).await? > FAR_BEHIND {
            return Ok(0);
        }
        let ground = renewed(&mut self.basis, &self.store).await?;
        let doing = "begin to tell what was true";
        let mut client = self.store.client().await?;
        // What is due and what is known are of one instant: what comes later is due again.
        let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.start().await.doing(doing)?;
        let due = truth::due(&transaction, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut told = Vec::with_capacity(due.len());
        for Due { facility, late_from } in due {
            let head = truth::head(&transaction, facility, ground.number, FOLD).await?;
            let head = head.filter(|head| late_from.is_none_or(|from| from > head.through));
            let kept = head.as_ref().map(|head| head.through);
            let facts = truth::facts(&transaction, facility, kept).await?;
            let until = clock::now();
            let span = Span { settled: until - SETTLES_AFTER, until };
            let timeline = block_in_place(|| timeline(facility, head, &facts, &ground.rules, &ground.calendar, span));
            told.push((facility, kept, timeline));
        }
        truth::write(&transaction, &told, ground.number, FOLD).await?;
        crash::point("history-before-commit");
        transaction.commit().await.doing("commit what was true")?;
        telemetry::history_told(told.len());
        Ok(told.len())
    }
}

/// By what is told now; where that is something else than before, all is due.
async fn renewed<'a>(basis: &'a mut Option<Basis>, store: &Store) -> Result<&'a Ground, StoreError> {
    let (now, other) = match basis.take() {
        Some(mut now) => {
            let other = now.renew(store).await?;
            (now, other)
        }
        None => (Basis::now(store).await?, true),
    };
    let Basis { ground, .. } = basis.insert(now);
    if other {
        truth::outdated(store, ground.number, FOLD).await?;
    }
    Ok(ground)
}
