//! Opening days of desks: Monday to Saturday, without the public holidays, which are computed here by the law's own
//! rules.

use chrono::{DateTime, Datelike as _, Days, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

const JAPAN: FixedOffset = FixedOffset::east_opt(9 * 3600).expect("nine hours are less than a day");

/// The instant `hours` after midnight of `date` in Japan.
#[must_use]
pub fn at(date: NaiveDate, hours: f64) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN).and_local_timezone(JAPAN).single().unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "hours of a day")]
    let after = TimeDelta::milliseconds((hours * 3_600_000.0) as i64);
    midnight.with_timezone(&Utc) + after
}

/// The date in Japan at `at`.
#[must_use]
pub fn date(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&JAPAN).date_naive()
}

/// Whether a desk opens on that day. From 12-29 to 01-03 most are closed.
#[must_use]
pub fn is_open(date: NaiveDate) -> bool {
    let new_year = matches!((date.month(), date.day()), (12, 29..) | (1, ..=3));
    date.weekday() != Weekday::Sun && !new_year && !is_holiday(date)
}

/// Whether the day is a public holiday.
#[must_use]
pub fn is_holiday(date: NaiveDate) -> bool {
    if named(date) {
        return true;
    }
    let (before, after) = (date - Days::new(1), date + Days::new(1));
    // A day between two holidays is a holiday.
    if named(before) && named(after) && date.weekday() != Weekday::Sun {
        return true;
    }
    // A holiday on a Sunday moves to the next day that is none.
    let mut day = before;
    while named(day) {
        if day.weekday() == Weekday::Sun {
            return true;
        }
        day = day - Days::new(1);
    }
    false
}

fn named(date: NaiveDate) -> bool {
    let (month, day) = (date.month(), date.day());
    let monday = |number: u32| date.weekday() == Weekday::Mon && day.div_ceil(7) == number;
    let year = f64::from(date.year());
    let equinox = |base: f64| {
        let day_of = (base + 0.242_194 * (year - 1980.0)).floor() - ((year - 1980.0) / 4.0).floor();
        (f64::from(day) - day_of).abs() < 0.5
    };
    match month {
        1 => day == 1 || monday(2),
        2 => day == 11 || day == 23,
        3 => equinox(20.8431),
        4 => day == 29,
        5 => (3..=5).contains(&day),
        7 => monday(3),
        8 => day == 11,
        9 => monday(3) || equinox(23.2488),
        10 => monday(2),
        11 => day == 3 || day == 23,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holidays_are_those_of_domain_md() {
        let of = |year: i32| {
            let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            let days = first.iter_days().take_while(|day| day.year() == year).filter(|day| is_holiday(*day));
            days.map(|day| (day.month(), day.day())).collect::<Vec<_>>()
        };
        let ends = [(10, 12), (11, 3), (11, 23)];
        let of_2026 = [(1, 1), (1, 12), (2, 11), (2, 23), (3, 20), (4, 29), (5, 3), (5, 4), (5, 5), (5, 6), (7, 20)];
        let autumn = [(8, 11), (9, 21), (9, 22), (9, 23)];
        assert_eq!(of(2026), [&of_2026[..], &autumn, &ends].concat());
        assert!(of(2027).contains(&(3, 22)) && of(2027).len() == 17);
    }
}
