//! Japanese holidays and the opening hours of the ministry's call centre.
//!
//! Intervals are half-open. Outside the years of the holiday table the answer is "unknown", never "open".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc, Weekday};
use serde::Serialize;

use crate::hours::Hours;
use crate::instant::{later, local};
use crate::statements::Statements;
use crate::text::Text;
use yomitori_proto::time::JAPAN;

/// Holidays, the hours of the call centre, and closures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    holidays: BTreeSet<NaiveDate>,
    years: BTreeSet<i32>,
    hours: Hours,
    /// Closures of the call centre.
    closures: BTreeSet<(DateTime<Utc>, DateTime<Utc>)>,
    /// Closures of all clinics.
    clinics_closed: BTreeSet<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Whether the call centre answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    Open,
    Closed,
    /// Usually open, but the hours around New Year are not confirmed.
    Unconfirmed,
    /// The holidays of that year are unknown.
    Unknown,
}

/// The reason why a holiday table is invalid.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CalendarError {
    #[error("line {line} of the holidays must begin with a date such as 2026/1/1 and a comma")]
    Row { line: usize },
    #[error("the holidays cover no whole year since {FIRST_YEAR}: use the unchanged file of the Cabinet Office")]
    Empty,
}

/// Earlier years are not needed, and had fewer holidays.
const FIRST_YEAR: i32 = 2016;
/// A year with fewer rows is incomplete: a truncated file must not open the call centre on a holiday.
const ROWS_OF_A_YEAR: usize = 15;
/// Search horizon, longer than any closure or run of holidays.
const HORIZON_DAYS: u64 = 400;

static BUNDLED: LazyLock<Calendar> = LazyLock::new(|| {
    Calendar::parse(include_bytes!("../data/holidays.csv")).expect("the bundled holidays are parsed by a test")
});

impl Calendar {
    /// The holidays and hours that ship with this version.
    #[must_use]
    pub fn bundled() -> Self {
        BUNDLED.clone()
    }

    /// Parses the Cabinet Office's file, in CP932 or UTF-8. Only the dates are used; they are ASCII in both encodings.
    pub fn parse(bytes: &[u8]) -> Result<Self, CalendarError> {
        let mut rows: BTreeMap<i32, BTreeSet<NaiveDate>> = BTreeMap::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate().skip(1) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let date = line.split(|byte| *byte == b',').next().and_then(date);
            let date = date.ok_or(CalendarError::Row { line: index + 1 })?;
            if date.year() >= FIRST_YEAR {
                rows.entry(date.year()).or_default().insert(date);
            }
        }
        rows.retain(|_, dates| dates.len() >= ROWS_OF_A_YEAR);
        if rows.is_empty() {
            return Err(CalendarError::Empty);
        }
        let years = rows.keys().copied().collect();
        let holidays = rows.into_values().flatten().collect();
        let (closures, clinics_closed) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { holidays, years, hours: Hours::bundled(), closures, clinics_closed })
    }

    /// The same calendar with other hours.
    #[must_use]
    pub fn with_hours(self, hours: Hours) -> Self {
        Self { hours, ..self }
    }

    /// Canonical document: equal calendars have equal documents.
    #[must_use]
    pub fn document(&self) -> String {
        let mut document = self.hours.document();
        let mut line = |what: &str, value: String| document.push_str(&format!("{what} {value}\n"));
        self.years.iter().for_each(|year| line("year", year.to_string()));
        self.holidays.iter().for_each(|holiday| line("holiday", holiday.to_string()));
        let span = |(from, to): &(DateTime<Utc>, DateTime<Utc>)| format!("{} {}", from.to_rfc3339(), to.to_rfc3339());
        self.closures.iter().for_each(|closure| line("call_centre_closed", span(closure)));
        self.clinics_closed.iter().for_each(|closure| line("clinics_closed", span(closure)));
        document
    }

    /// Closes the call centre in [from, to).
    pub fn close(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        if from < to {
            self.closures.insert((from, to));
        }
    }

    /// Removes the call centre's closure of [from, to).
    pub(crate) fn reopen(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        self.closures.remove(&(from, to));
    }

    /// Closes all clinics in [from, to).
    pub fn close_clinics(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        if from < to {
            self.clinics_closed.insert((from, to));
        }
    }

    /// Removes the clinics' closure of [from, to).
    pub(crate) fn reopen_clinics(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        self.clinics_closed.remove(&(from, to));
    }

    /// The usual closures of clinics in the year after `now`. They are proposed to people and never assumed.
    #[must_use]
    pub fn usual_closures(now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>, Text)> {
        let year = local(now).year();
        let day = |year, month, day| {
            let midnight = NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0)?;
            midnight.and_local_timezone(JAPAN).single().map(|at| at.to_utc())
        };
        let of_year = |year| {
            let obon = (day(year, 8, 13), day(year, 8, 17), Text::fixed("お盆", "Obon"));
            let new_year = (day(year, 12, 29), day(year + 1, 1, 4), Text::fixed("年末年始", "New Year"));
            [obon, new_year]
        };
        let all = [year - 1, year, year + 1].into_iter().flat_map(of_year);
        let known = all.filter_map(|(from, to, label)| Some((from?, to?, label)));
        known.filter(|(_, to, _)| now < *to).take(2).collect()
    }

    /// The hours and the telephone number of the call centre.
    #[must_use]
    pub const fn hours(&self) -> &Hours {
        &self.hours
    }

    /// The last year whose holidays are known.
    #[must_use]
    pub fn last_year(&self) -> i32 {
        self.years.last().copied().unwrap_or(FIRST_YEAR)
    }

    /// Whether a day is a holiday; `None` if unknown.
    #[must_use]
    pub fn holiday(&self, date: NaiveDate) -> Option<bool> {
        self.years.contains(&date.year()).then(|| self.holidays.contains(&date))
    }

    /// Whether the call centre answers at `at`.
    #[must_use]
    pub fn open(&self, at: DateTime<Utc>) -> Opening {
        let local = local(at);
        let within = self.hours.on(local.weekday()).is_some_and(|(from, to)| (from..to).contains(&local.time()));
        if !within || self.closure_at(at).is_some() {
            return Opening::Closed;
        }
        match self.holiday(local.date_naive()) {
            Some(true) => Opening::Closed,
            Some(false) if turn_of_the_year(local.date_naive()) => Opening::Unconfirmed,
            Some(false) => Opening::Open,
            None => Opening::Unknown,
        }
    }

    /// The first instant, `at` or later, at which the call centre answers; `None` if unknown.
    #[must_use]
    pub fn next_opening(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let first = local(at).date_naive();
        for date in (0..HORIZON_DAYS).filter_map(|days| first.checked_add_days(Days::new(days))) {
            let Some((from, to)) = self.hours.on(date.weekday()) else { continue };
            if self.holiday(date)? {
                continue;
            }
            let instant = |time| date.and_time(time).and_local_timezone(JAPAN).single().map(|at| at.to_utc());
            let (from, to) = instant(from).zip(instant(to))?;
            let mut opening = from.max(at);
            while let Some(closed_until) = self.closure_at(opening) {
                opening = closed_until;
            }
            if opening < to {
                return Some(opening);
            }
        }
        None
    }

    /// The reason why the call centre doesn't answer at `at`.
    #[must_use]
    pub fn closed_because(&self, at: DateTime<Utc>) -> Text {
        let local = local(at);
        let holiday = self.holiday(local.date_naive()) == Some(true);
        match self.hours.on(local.weekday()) {
            _ if holiday => Text::fixed("祝日", "a public holiday"),
            None => Text::fixed("定休の曜日", "not on this day of the week"),
            Some((from, to)) if (from..to).contains(&local.time()) => Text::fixed("臨時の休業", "an entered closure"),
            Some(_) => Text::fixed("受付時間外", "outside opening hours"),
        }
    }

    /// The end of the opening around `at`; `None` if the call centre doesn't answer at `at`, or if that is unknown.
    #[must_use]
    pub fn open_until(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !matches!(self.open(at), Opening::Open | Opening::Unconfirmed) {
            return None;
        }
        let local = local(at);
        let (_, to) = self.hours.on(local.weekday())?;
        let end = local.date_naive().and_time(to).and_local_timezone(JAPAN).single()?.to_utc();
        let next = self.closures.range((at, DateTime::<Utc>::MIN_UTC)..).next();
        Some(next.map_or(end, |(from, _)| end.min(*from)))
    }

    /// The end of the closure around `at`.
    fn closure_at(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.closures.iter().find(|(from, to)| *from <= at && at < *to).map(|(_, to)| *to)
    }

    /// The instant `count` opening days of the clinic after `at`, at the same time of day. Sundays, holidays and days
    /// on which all clinics or this one (`own`) are closed at noon don't count. In years without known holidays only
    /// Sundays and closures are skipped.
    pub(crate) fn after_opening_days(
        &self,
        at: DateTime<Utc>,
        count: u32,
        own: &Statements<DateTime<Utc>>,
    ) -> DateTime<Utc> {
        let first = local(at).date_naive();
        let (mut date, mut left) = (first, count);
        while left > 0 {
            let Some(next) = date.succ_opt() else { return later(at, chrono::Duration::MAX) };
            date = next;
            // One step skips a closure of any length.
            while let Some(reopened) = self.reopened_after(date, own) {
                let Some(next) = reopened else { return later(at, chrono::Duration::MAX) };
                date = next;
            }
            let open = date.weekday() != Weekday::Sun && self.holiday(date) != Some(true);
            left -= u32::from(open);
        }
        later(at, date - first)
    }

    /// If clinics are closed at noon of `date`: the first day whose noon is after that closure, or `None` at the end of
    /// time.
    fn reopened_after(&self, date: NaiveDate, own: &Statements<DateTime<Utc>>) -> Option<Option<NaiveDate>> {
        let noon = |date: NaiveDate| {
            let noon = date.and_hms_opt(12, 0, 0)?;
            noon.and_local_timezone(JAPAN).single().map(|noon| noon.to_utc())
        };
        let at = noon(date)?;
        let all = self.clinics_closed.iter().map(|(from, to)| (*from, to));
        let (_, until) = all.chain(own.iter()).find(|(from, to)| *from <= at && at < **to)?;
        let last = local(*until).date_naive();
        let over = noon(last).is_some_and(|noon| *until <= noon);
        Some(if over { Some(last) } else { last.succ_opt() })
    }
}

/// From 12-29 to 01-03 nobody has confirmed whether the call centre is open.
fn turn_of_the_year(date: NaiveDate) -> bool {
    matches!((date.month(), date.day()), (12, 29..) | (1, ..=3))
}

fn date(text: &[u8]) -> Option<NaiveDate> {
    let mut parts = str::from_utf8(text).ok()?.split(['/', '-']).map(str::trim);
    let (year, month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if parts.next().is_some() {
        return None;
    }
    NaiveDate::from_ymd_opt(year, month, day)
}

#[cfg(test)]
mod tests;
