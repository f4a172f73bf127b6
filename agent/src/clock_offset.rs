//! How far the terminal's clock is from the server's, in words for people.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

/// Less than this may come from the line.
const WRONG_FROM: TimeDelta = TimeDelta::minutes(5);

/// The terminal's clock minus the server's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockOffset {
    ahead: TimeDelta,
    /// It is known from the time of a certificate only.
    at_least: bool,
}

impl ClockOffset {
    /// The offset if the server's clock shows `server` while this terminal's shows `here`; `None` if it is small.
    #[must_use]
    pub fn between(here: DateTime<Utc>, server: DateTime<Utc>) -> Option<Self> {
        let ahead = here - server;
        (ahead.abs() >= WRONG_FROM).then_some(Self { ahead, at_least: false })
    }

    /// The offset if it is certain that now is between `from` and `until`; `None` if `here` is too.
    #[must_use]
    pub fn outside(here: DateTime<Utc>, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Self> {
        let ahead = if here < from { here - from } else { here - until };
        (here < from || here > until).then_some(Self { ahead, at_least: true })
    }

    /// Such as 「少なくとも3日遅れています」.
    #[must_use]
    pub fn ja(&self) -> String {
        let mut text = if self.at_least { "少なくとも".to_owned() } else { "約".to_owned() };
        let (number, [ja, _]) = self.size();
        let verb = if self.ahead > TimeDelta::zero() { "進んでいます" } else { "遅れています" };
        // Writing to a text cannot fail.
        write!(text, "{number}{ja}{verb}").ok();
        text
    }

    /// Such as "at least 3 days behind".
    #[must_use]
    pub fn en(&self) -> String {
        let mut text = if self.at_least { "at least ".to_owned() } else { "about ".to_owned() };
        let (number, [_, en]) = self.size();
        let way = if self.ahead > TimeDelta::zero() { "ahead" } else { "behind" };
        let plural = if number == 1 { "" } else { "s" };
        write!(text, "{number} {en}{plural} {way}").ok();
        text
    }

    fn size(&self) -> (i64, [&'static str; 2]) {
        let size = self.ahead.abs();
        match (size.num_days(), size.num_hours(), size.num_minutes()) {
            (days, ..) if days >= 365 => (days / 365, ["年", "year"]),
            (days, ..) if days >= 1 => (days, ["日", "day"]),
            (_, hours, _) if hours >= 1 => (hours, ["時間", "hour"]),
            (_, _, minutes) => (minutes, ["分", "minute"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_said_in_words() {
        let now: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let said = |ahead: TimeDelta| ClockOffset::between(now + ahead, now).map(|it| (it.ja(), it.en()));
        assert_eq!(said(TimeDelta::minutes(4)), None);
        assert_eq!(said(TimeDelta::minutes(-7)), Some(("約7分遅れています".into(), "about 7 minutes behind".into())));
        assert_eq!(said(TimeDelta::hours(1)), Some(("約1時間進んでいます".into(), "about 1 hour ahead".into())));
        assert_eq!(said(TimeDelta::days(10)), Some(("約10日進んでいます".into(), "about 10 days ahead".into())));
        let (from, until) = (now - TimeDelta::days(1), now + TimeDelta::days(30));
        let outside = |here| ClockOffset::outside(here, from, until).map(|it| (it.ja(), it.en()));
        assert_eq!(outside(now), None);
        let old = now - TimeDelta::days(7 * 365 + 20);
        assert_eq!(outside(old), Some(("少なくとも7年遅れています".into(), "at least 7 years behind".into())));
        let late = now + TimeDelta::days(33);
        assert_eq!(outside(late), Some(("少なくとも3日進んでいます".into(), "at least 3 days ahead".into())));
    }
}
