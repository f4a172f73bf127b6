//! Instants as people write them on the command line: with an offset, or in Japan's time.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Asia::Tokyo;

/// The forms without an offset; Japan's time is meant.
const LOCAL: [&str; 4] = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
const DAYS: [&str; 2] = ["%Y-%m-%d", "%Y/%m/%d"];

/// Reads an instant; a day alone is its beginning in Japan.
pub(super) fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let minute = || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z").ok();
    let with_offset = || DateTime::parse_from_rfc3339(text).ok().or_else(minute).map(|at| at.with_timezone(&Utc));
    let local = || LOCAL.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || DAYS.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok()?.and_hms_opt(0, 0, 0));
    let in_japan = |at: NaiveDateTime| Tokyo.from_local_datetime(&at).single().map(|at| at.with_timezone(&Utc));
    let at = with_offset().or_else(|| local().or_else(day).and_then(in_japan));
    let kept = at.filter(|at| yomitori_proto::time::from_micros(yomitori_proto::time::to_micros(*at)).is_some());
    kept.map(yomitori_proto::time::truncate).ok_or_else(|| {
        "write an instant such as 2026-04-01T10:30:00+09:00, or 2026-04-01T10:30 in Japan's time, or a day".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_offset_it_is_japan_s_time() {
        let expected: DateTime<Utc> = "2026-04-01T01:30:00Z".parse().unwrap();
        for text in [
            "2026-04-01T10:30:00+09:00",
            "2026-04-01T10:30+09:00",
            "2026-04-01T01:30:00Z",
            "2026-04-01T10:30",
            " 2026-04-01 10:30:00 ",
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert_eq!(parse("2026-04-01"), Ok("2026-03-31T15:00:00Z".parse().unwrap()));
        for text in ["", "tomorrow", "2026-13-01", "1026-01-01T00:00:00Z", "2026-04-01T25:00"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
