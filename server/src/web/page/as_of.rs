//! Up to when a page is current, and whether the projection keeps up with the log.

use chrono::{DateTime, Duration, Utc};
use maud::{Markup, html};
use serde::Serialize;

use crate::store::fleet::{PartitionProgress, ProjectionProgress};
use crate::web::http::lang::Lang;
use crate::web::page::text;
use crate::web::page::when;

/// A running projector reads the end of the log far more often than this.
const LOOKS_WITHIN: Duration = Duration::seconds(20);
/// A burst may take a moment; a longer delay shows a warning.
const KEEPS_UP_WITHIN: Duration = Duration::seconds(10);

/// Up to when a page is current.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(in crate::web) struct AsOf {
    /// By the database's clock.
    pub(in crate::web) now: DateTime<Utc>,
    /// The page includes the log up to then; `None` if nothing was ever folded.
    pub(in crate::web) as_of: Option<DateTime<Utc>>,
    /// Records of the log that are not folded yet; `None` if no projector has reported it.
    pub(in crate::web) behind_records: Option<i64>,
    pub(in crate::web) behind: bool,
    pub(in crate::web) parked_facilities: i64,
    pub(in crate::web) parked_records: i64,
}

impl AsOf {
    pub(in crate::web) fn of(progress: &ProjectionProgress) -> Self {
        let ProjectionProgress { now, places, parked_facilities, parked_records } = progress;
        let measured: Option<Vec<(i64, DateTime<Utc>)>> = places.iter().map(measured).collect();
        let measured = measured.filter(|places| !places.is_empty());
        let last_folded = places.iter().filter_map(|place| place.folded_at).max();
        let behind_records = measured.as_ref().map(|places| places.iter().map(|(behind, _)| behind).sum());
        let as_of = match &measured {
            Some(places) => places.iter().map(|(_, true_until)| *true_until).min(),
            None => last_folded,
        };
        let looked = places.iter().map(|place| place.checked_at).min().flatten();
        let stopped = measured.is_some() && looked.is_some_and(|looked| *now - looked > LOOKS_WITHIN);
        let slow =
            behind_records.is_some_and(|behind| behind > 0) && as_of.is_none_or(|as_of| *now - as_of > KEEPS_UP_WITHIN);
        let (parked_facilities, parked_records) = (*parked_facilities, *parked_records);
        Self { now: *now, as_of, behind_records, behind: stopped || slow, parked_facilities, parked_records }
    }

    /// The line on every page.
    pub(in crate::web) fn line(&self, lang: Lang) -> Markup {
        html! {
            span.label { (lang.both(&text::AS_OF)) } " "
            @match self.as_of {
                Some(at) => { strong.clock { (when::second(at)) } " " (when::ago(lang, at, self.now)) },
                None => (lang.one(&text::NEVER_FOLDED)),
            }
        }
    }

    /// The warning on every page while the projection is behind.
    pub(in crate::web) fn warning(&self, lang: Lang) -> Option<String> {
        if !self.behind {
            return None;
        }
        let records = self.behind_records.unwrap_or(0);
        Some(match lang {
            // How many records wait is not known.
            Lang::Ja if records == 0 => {
                "ログを読めていません（Kafka かサーバーの projector を確認してください）。表示はデータ時点のものです。".to_owned()
            }
            Lang::En if records == 0 => {
                "The log is not read (check Kafka and the server's projector): the page shows the status as of the time above."
                    .to_owned()
            }
            Lang::Ja => format!("反映が遅れています（未反映の記録 {records} 件）。表示はデータ時点のものです。"),
            Lang::En => format!(
                "The projection is {records} records behind the log: the page shows the status as of the time above."
            ),
        })
    }
}

/// How far a partition is behind, and up to when it is current; `None` if no projector has reported it.
fn measured(place: &PartitionProgress) -> Option<(i64, DateTime<Utc>)> {
    let (end, checked_at) = (place.end_offset?, place.checked_at?);
    let behind = (end - place.next_offset).max(0);
    let true_until = if behind == 0 { checked_at } else { place.folded_at.unwrap_or(DateTime::UNIX_EPOCH) };
    Some((behind, true_until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        format!("2026-04-01T{time}Z").parse().unwrap()
    }

    fn place(next_offset: i64, folded: &str, end: Option<(i64, &str)>) -> PartitionProgress {
        let (end_offset, checked_at) = (end.map(|(end, _)| end), end.map(|(_, checked)| at(checked)));
        PartitionProgress { partition: 0, next_offset, folded_at: Some(at(folded)), end_offset, checked_at }
    }

    fn check(places: Vec<PartitionProgress>) -> AsOf {
        AsOf::of(&ProjectionProgress { now: at("09:00:00"), places, parked_facilities: 0, parked_records: 0 })
    }

    #[test]
    fn a_quiet_night_is_not_late() {
        let shown = check(vec![place(5, "01:00:00", Some((5, "08:59:59")))]);
        assert_eq!((shown.as_of, shown.behind), (Some(at("08:59:59")), false));
    }

    #[test]
    fn the_partition_that_is_furthest_behind_decides() {
        let late = place(5, "08:30:00", Some((7, "08:59:59")));
        let shown = check(vec![place(9, "08:59:58", Some((9, "08:59:59"))), late]);
        assert_eq!((shown.as_of, shown.behind_records, shown.behind), (Some(at("08:30:00")), Some(2), true));
    }

    #[test]
    fn a_projector_that_stopped_looking_is_told_of() {
        assert!(check(vec![place(5, "08:30:00", Some((5, "08:59:00")))]).behind);
    }

    #[test]
    fn where_nobody_measures_nothing_is_claimed() {
        let shown = check(vec![place(5, "08:30:00", None), place(5, "08:40:00", None)]);
        assert_eq!((shown.as_of, shown.behind_records, shown.behind), (Some(at("08:40:00")), None, false));
    }
}
