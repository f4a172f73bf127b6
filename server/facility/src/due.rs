//! The next instant at which a facility's status changes by the passing of time alone.
//!
//! Every comparison with "now" goes through [`LookAt::passed`]. The earliest instant that had not passed is the next
//! change, so no comparison can be forgotten.

use std::cell::Cell;

use chrono::{DateTime, Utc};

use crate::calendar::Calendar;
use crate::facility::Facility;
use crate::rules::Rules;
use crate::status::status;

/// The instant at which a facility is evaluated.
#[derive(Debug)]
pub(crate) struct LookAt {
    now: DateTime<Utc>,
    next: Cell<Option<DateTime<Utc>>>,
}

impl LookAt {
    pub(crate) const fn new(now: DateTime<Utc>) -> Self {
        Self { now, next: Cell::new(None) }
    }

    /// The earliest instant at which an answer given for this moment changes.
    pub(crate) const fn next(&self) -> Option<DateTime<Utc>> {
        self.next.get()
    }

    pub(crate) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Whether `at` has passed.
    pub(crate) fn passed(&self, at: DateTime<Utc>) -> bool {
        let passed = at <= self.now;
        if !passed {
            self.next.set(Some(self.next.get().map_or(at, |next| next.min(at))));
        }
        passed
    }
}

/// The next instant after `now` at which the flags or the status change by the passing of time alone.
#[must_use]
pub fn due(facility: &Facility, rules: &Rules, calendar: &Calendar, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    status(facility, rules, calendar, now).due_at
}
