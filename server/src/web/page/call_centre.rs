//! The call centre: its number, and whether it is open now by the calendar and the recorded closures. If the holidays
//! are not known, the answer is "unknown".

use chrono::{DateTime, Datelike as _, NaiveTime, Utc, Weekday};
use maud::{Markup, html};
use serde::Serialize;
use yomitori_facility::{Calendar, Opening};
use yomitori_proto::time::JAPAN;

use crate::store::{Store, StoreError, policy};
use crate::web::http::lang::Lang;
use crate::web::page::text;
use crate::web::page::word::{Tone, sign};

/// The calendar in force, with every closure that people recorded.
pub(in crate::web) async fn calendar(store: &Store) -> Result<Calendar, StoreError> {
    Ok(policy::now(store).await?.calendar)
}

/// Whether the call centre is open, for programs.
#[derive(Serialize)]
pub(in crate::web) struct CallCentre {
    telephone: String,
    opening: Opening,
    /// When it closes, if it is open.
    open_until: Option<DateTime<Utc>>,
    /// When it opens next, if it is closed; absent if unknown.
    next_opening: Option<DateTime<Utc>>,
    /// The last year whose holidays are known.
    holidays_known_until: i32,
}

impl CallCentre {
    pub(in crate::web) fn of(calendar: &Calendar, now: DateTime<Utc>) -> Self {
        let opening = calendar.open(now);
        Self {
            telephone: calendar.hours().telephone().to_owned(),
            opening,
            open_until: calendar.open_until(now),
            next_opening: if matches!(opening, Opening::Open | Opening::Unconfirmed) {
                None
            } else {
                calendar.next_opening(now)
            },
            holidays_known_until: calendar.last_year(),
        }
    }
}

/// The box beside requests to call.
pub(in crate::web) fn draw(lang: Lang, calendar: &Calendar, now: DateTime<Utc>) -> Markup {
    let CallCentre { telephone, opening, open_until, next_opening, holidays_known_until } =
        CallCentre::of(calendar, now);
    let (tone, state) = match opening {
        Opening::Open => (Tone::Good, &text::OPEN_NOW),
        Opening::Closed => (Tone::Quiet, &text::CLOSED_NOW),
        Opening::Unconfirmed => (Tone::Unknown, &text::OPENING_UNCONFIRMED),
        Opening::Unknown => (Tone::Unknown, &text::OPENING_UNKNOWN),
    };
    html! {
        div.centre {
            p.number { span { (lang.both(&text::CALL_CENTRE)) } " " a href=(format!("tel:{}", telephone.replace('-', ""))) { (telephone) } }
            p.opening {
                (sign(tone, lang.one(state))) " "
                @if let Some(until) = open_until { strong { (lang.one(&text::OPEN_UNTIL).replace("{at}", &time(until))) } }
                @if opening == Opening::Closed { span { (lang.both(&calendar.closed_because(now))) } " " }
                @if !matches!(opening, Opening::Open | Opening::Unconfirmed) {
                    strong {
                        @match next_opening {
                            Some(next) => (lang.one(&text::NEXT_WINDOW).replace("{at}", &day(lang, next))),
                            None => (lang.one(&text::NEXT_UNKNOWN).replace("{year}", &holidays_known_until.to_string())),
                        }
                    }
                }
            }
            p.hours { small { (hours(lang, calendar)) " " (lang.one(&text::HOLIDAYS_UNTIL).replace("{year}", &holidays_known_until.to_string())) } }
        }
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%H:%M").to_string()
}

/// A day with its weekday, so that people can compare it with their own calendar.
pub(in crate::web) fn day(lang: Lang, at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&JAPAN);
    format!(
        "{} {}",
        local.format("%Y-%m-%d"),
        match lang {
            Lang::Ja => format!(
                "({}) {}",
                ["月", "火", "水", "木", "金", "土", "日"][local.weekday().num_days_from_monday() as usize],
                local.format("%H:%M")
            ),
            Lang::En => local.format("(%a) %H:%M").to_string(),
        }
    )
}

/// The weekly hours, with neighbouring days of the same hours combined.
fn hours(lang: Lang, calendar: &Calendar) -> String {
    const WEEK: [(Weekday, &str, &str); 7] = [
        (Weekday::Mon, "月", "Mon"),
        (Weekday::Tue, "火", "Tue"),
        (Weekday::Wed, "水", "Wed"),
        (Weekday::Thu, "木", "Thu"),
        (Weekday::Fri, "金", "Fri"),
        (Weekday::Sat, "土", "Sat"),
        (Weekday::Sun, "日", "Sun"),
    ];
    type Run = (&'static str, &'static str, (NaiveTime, NaiveTime));
    let mut runs: Vec<Run> = Vec::new();
    for (weekday, ja, en) in WEEK {
        let Some(open) = calendar.hours().on(weekday) else { continue };
        let name = if lang == Lang::Ja { ja } else { en };
        match runs.last_mut() {
            Some((_, last, hours)) if *hours == open => *last = name,
            Some(_) | None => runs.push((name, name, open)),
        }
    }
    let run = |(first, last, (from, to)): &Run| {
        let days = if first == last { (*first).to_owned() } else { format!("{first}–{last}") };
        format!("{days} {}–{}", from.format("%H:%M"), to.format("%H:%M"))
    };
    let runs: Vec<String> = runs.iter().map(run).collect();
    format!("{}{}", runs.join(if lang == Lang::Ja { "、" } else { ", " }), lang.one(&text::NOT_ON_HOLIDAYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jst(text: &str) -> DateTime<Utc> {
        format!("{text}+09:00").parse().unwrap()
    }

    fn shown(lang: Lang, at: &str) -> String {
        draw(lang, &Calendar::bundled(), jst(at)).into_string()
    }

    #[test]
    fn the_box_says_what_the_calendar_says() {
        for (at, needles) in [
            ("2026-05-01T17:59:00", ["0800-080-4583", "Open now", "until 18:00"]),
            ("2026-05-02T16:00:00", ["Closed now", "outside opening hours", "2026-05-07 (Thu) 08:00"]),
            ("2026-09-22T10:00:00", ["Closed now", "a public holiday", "2026-09-24 (Thu) 08:00"]),
            ("2026-11-22T10:00:00", ["Closed now", "not on this day", "2026-11-24 (Tue) 08:00"]),
            ("2031-05-01T10:00:00", ["Opening unknown", "holidays after 2027", "0800-080-4583"]),
        ] {
            for needle in needles {
                assert!(shown(Lang::En, at).contains(needle), "{at}: {needle}: {}", shown(Lang::En, at));
            }
        }
        assert!(shown(Lang::En, "2026-05-01T10:00:00").contains("Mon–Fri 08:00–18:00, Sat 08:00–16:00"));
        assert!(shown(Lang::Ja, "2026-05-01T10:00:00").contains("月–金 08:00–18:00、土 08:00–16:00"));
    }
}
