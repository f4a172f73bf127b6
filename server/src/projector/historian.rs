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

use crate::store::ground::{self, Ground};
use crate::store::truth::{self, Due};
use crate::store::{Doing as _, Store, StoreError, progress};
use crate::{clock, crash, telemetry};

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
    let mut historian = Historian { store, newest: None, ground: None };
    loop {
        let began = Instant::now();
        // As much rest as work: the live projection comes first.
        let pause = match historian.tell().await {
            Ok(0) => LOOK_EVERY,
            Ok(_) => began.elapsed(),
            Err(error) => {
                telemetry::history_failed(&error);
                historian.ground = None;
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
    /// The newest fact that the ground follows from.
    newest: Option<i64>,
    ground: Option<Ground>,
}

impl Historian {
    /// Tells what is due next; says of how many facilities.
    async fn tell(&mut self) -> Result<usize, StoreError> {
        if progress::behind(&self.store).await? > FAR_BEHIND {
            return Ok(0);
        }
        let ground = self.renew().await?;
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

    /// The rules and the calendar of now; where they are others than before, all is due.
    async fn renew(&mut self) -> Result<Ground, StoreError> {
        let newest = ground::newest(&self.store).await?;
        if let Some(ground) = self.ground.as_ref().filter(|_| newest == self.newest) {
            return Ok(ground.clone());
        }
        let ground = ground::now(&self.store).await?;
        truth::outdated(&self.store, ground.number, FOLD).await?;
        self.newest = newest;
        self.ground = Some(ground.clone());
        Ok(ground)
    }
}
