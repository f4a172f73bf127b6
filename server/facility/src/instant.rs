//! Saturating arithmetic on instants: a fold must accept any instant that a fact carries.

use chrono::{DateTime, Duration, FixedOffset, Utc};
use yomitori_proto::time::JAPAN;

/// The wall clock in Japan; at the ends of time, a day from the end.
pub(crate) fn local(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    let margin = Duration::days(1);
    at.clamp(DateTime::<Utc>::MIN_UTC + margin, DateTime::<Utc>::MAX_UTC - margin).with_timezone(&JAPAN)
}

/// `at` plus `by` (which may be negative), saturating at the ends of time.
pub(crate) fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let end = if by < Duration::zero() { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    at.checked_add_signed(by).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_time_are_accepted() {
        assert_eq!(later(DateTime::<Utc>::MAX_UTC, Duration::days(1)), DateTime::<Utc>::MAX_UTC);
        assert_eq!(later(DateTime::<Utc>::MIN_UTC, Duration::days(-1)), DateTime::<Utc>::MIN_UTC);
        assert_eq!(later(DateTime::UNIX_EPOCH, Duration::seconds(-1)).timestamp(), -1);
        assert!(local(DateTime::<Utc>::MAX_UTC).date_naive() > local(DateTime::<Utc>::MIN_UTC).date_naive());
    }
}
