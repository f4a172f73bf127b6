//! Texts of the page in both languages, and times as people write them.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use yomitori_proto::time::JAPAN;

/// A text in Japanese and in English.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Text {
    pub(super) ja: Cow<'static, str>,
    pub(super) en: Cow<'static, str>,
}

impl Text {
    pub(super) const fn fixed(ja: &'static str, en: &'static str) -> Self {
        Self { ja: Cow::Borrowed(ja), en: Cow::Borrowed(en) }
    }

    pub(super) const fn new(ja: String, en: String) -> Self {
        Self { ja: Cow::Owned(ja), en: Cow::Owned(en) }
    }
}

/// The date in Japan.
pub(super) fn day(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&JAPAN).date_naive()
}

/// The time of day in Japan.
pub(super) fn clock(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%H:%M").to_string()
}

/// The date and time in Japan; only the time if it is the day of `now`.
pub(super) fn when(at: DateTime<Utc>, now: DateTime<Utc>) -> Text {
    let local = at.with_timezone(&JAPAN);
    if day(at) == day(now) {
        return Text::new(clock(at), clock(at));
    }
    Text::new(local.format("%-m月%-d日 %H:%M").to_string(), local.format("%-d %b %H:%M").to_string())
}
