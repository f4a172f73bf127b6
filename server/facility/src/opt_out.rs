//! The opt-out process: how far a call to the call centre has got.
//!
//! * `Needed` at once when the group does not want to be listed and a read counts, or the list names the facility.
//! * `Reflected` only by a snapshot that is later than the call and its confirmation, covers the facility and does not
//!   list it. Listed again after that, a new call is needed.
//! * `Withdrawn` ends the process; a new "do not want" begins another.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Stated;
use yomitori_proto::id::SnapshotId;
use yomitori_proto::vocabulary::Intent;

use crate::calendar::Opening;
use crate::evidence::Total;
use crate::intent::Wish;
use crate::listing::{Listing, Sight};
use crate::text::{Axis, Text};
use crate::view::View;
use crate::word::words;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OptOut {
    planned_at: Option<DateTime<Utc>>,
    call: Option<Call>,
    acknowledged_at: Option<DateTime<Utc>>,
    reflected: Option<(SnapshotId, DateTime<Utc>)>,
    withdrawn_at: Option<DateTime<Utc>>,
    /// How often a facility was listed again after it had been taken off.
    listed_again: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) called_at: DateTime<Utc>,
    by: String,
    reference: Option<String>,
}

/// The opt-out axis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum OptOutStatus {
    NotNeeded,
    Needed,
    Planned {
        planned_at: DateTime<Utc>,
        overdue: bool,
    },
    Called {
        called_at: DateTime<Utc>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    Acknowledged {
        acknowledged_at: DateTime<Utc>,
    },
    Reflected {
        snapshot: SnapshotId,
        as_of: DateTime<Utc>,
    },
    Withdrawn {
        withdrawn_at: DateTime<Utc>,
    },
}

words! {
    OptOutStatus {
        NotNeeded = "not_needed", "電話不要", "no call needed";
        Needed = "needed", "電話が必要", "call needed";
        Planned = "planned", "電話の予定あり", "call planned";
        Called = "called", "電話済み（確認待ち）", "called, not yet confirmed";
        Acknowledged = "acknowledged", "受付済み（反映待ち）", "confirmed, not yet reflected";
        Reflected = "reflected", "リストに反映済み", "reflected in the list";
        Withdrawn = "withdrawn", "申出を取り下げ", "opt-out withdrawn";
    }
}

impl OptOut {
    pub(crate) const fn planned(&mut self, planned_at: DateTime<Utc>) {
        self.planned_at = Some(planned_at);
    }

    pub(crate) fn called(&mut self, called_at: DateTime<Utc>, reference: Option<String>, stated: &Stated) {
        // A call after the list had been corrected, or after a withdrawal, begins anew.
        if self.reflected.is_some_and(|(_, as_of)| as_of < called_at) || self.withdrawn_at.is_some() {
            *self = Self { listed_again: self.listed_again, ..Self::default() };
        }
        self.call = Some(Call { called_at, by: stated.by.clone(), reference });
    }

    pub(crate) fn acknowledged(&mut self, acknowledged_at: DateTime<Utc>) {
        if self.withdrawn_at.is_some() {
            *self = Self::default();
        }
        self.acknowledged_at = Some(acknowledged_at);
    }

    pub(crate) fn withdrawn(&mut self, withdrawn_at: DateTime<Utc>) {
        *self = Self { withdrawn_at: Some(withdrawn_at), ..Self::default() };
    }

    /// A new "do not want" after a withdrawal begins anew.
    pub(crate) const fn intent_set(&mut self, intent: Intent) {
        if matches!(intent, Intent::DoNotWant) {
            self.withdrawn_at = None;
        }
    }

    /// What a snapshot says; `listing` is what all snapshots together say by now. Absence that another snapshot
    /// contradicts reflects nothing.
    pub(crate) fn list_observed(&mut self, sight: &Sight, listing: &Listing) {
        let asked_at = self.call.as_ref().map(|call| call.called_at).max(self.acknowledged_at);
        let gone = matches!(listing, Listing::NotListed { .. } | Listing::Delisted { .. });
        if let Some((_, as_of)) = self.reflected.filter(|_| sight.listed) {
            match as_of.cmp(&sight.as_of) {
                // It was never surely gone.
                Ordering::Equal => self.reflected = None,
                Ordering::Less => *self = Self { listed_again: self.listed_again.saturating_add(1), ..Self::default() },
                Ordering::Greater => {}
            }
        } else if self.reflected.is_none()
            && !sight.listed
            && gone
            && asked_at.is_some_and(|asked_at| asked_at < sight.as_of)
        {
            self.reflected = Some((sight.snapshot, sight.as_of));
        }
    }

    pub(crate) const fn call(&self) -> Option<&Call> {
        self.call.as_ref()
    }

    pub(crate) const fn acknowledged_at(&self) -> Option<DateTime<Utc>> {
        self.acknowledged_at
    }
}

impl View<'_> {
    pub(crate) fn opt_out(&self, wish: &Wish, total: &Total, listing: &Listing) -> Axis<OptOutStatus> {
        let process = &self.facility.opt_out;
        let unwanted = matches!(wish, Wish::DoNotWant { .. });
        let listed = matches!(listing, Listing::Listed { .. });
        let needed = unwanted && (total.sufficed_at.is_some() || listed);
        let status = if let Some((snapshot, as_of)) = process.reflected {
            OptOutStatus::Reflected { snapshot, as_of }
        } else if let Some(acknowledged_at) = process.acknowledged_at {
            OptOutStatus::Acknowledged { acknowledged_at }
        } else if let Some(Call { called_at, reference, .. }) = process.call.clone() {
            OptOutStatus::Called { called_at, reference }
        } else if let Some(withdrawn_at) = process.withdrawn_at {
            OptOutStatus::Withdrawn { withdrawn_at }
        } else if let Some(planned_at) = process.planned_at.filter(|_| unwanted) {
            OptOutStatus::Planned { planned_at, overdue: self.passed(planned_at) }
        } else if needed {
            OptOutStatus::Needed
        } else {
            OptOutStatus::NotNeeded
        };
        let why = self.opt_out_why(&status, unwanted, listed);
        Axis::new(status, why)
    }

    fn opt_out_why(&self, status: &OptOutStatus, unwanted: bool, listed: bool) -> Text {
        match status {
            OptOutStatus::NotNeeded if unwanted => Text::fixed(
                "掲載を希望していませんが、読み取りの成功も掲載もまだないため、電話は不要です。",
                "Listing is not wanted, but no read counts and the list doesn't name the facility, so nobody has to call.",
            ),
            OptOutStatus::NotNeeded => {
                Text::fixed("掲載を希望しないという登録がありません。", "Nobody has said that listing is not wanted.")
            }
            OptOutStatus::Needed if self.facility.opt_out.listed_again > 0 => Text::fixed(
                "一度リストから消えた後、再び掲載されました。",
                "The facility was taken off the list and is listed again.",
            ),
            OptOutStatus::Needed if listed => Text::fixed(
                "掲載を希望していませんが、リストに掲載されています。",
                "Listing is not wanted, and the list names the facility.",
            ),
            OptOutStatus::Needed => Text::fixed(
                "掲載を希望していませんが、スマートフォンの読み取りが成功したため、掲載されます。",
                "Listing is not wanted, and a smartphone read has succeeded, so the facility will be listed.",
            ),
            OptOutStatus::Planned { planned_at, .. } => {
                let at = self.minute(*planned_at);
                Text::new(format!("{at}に電話する予定です。"), format!("Somebody will call at {at}."))
            }
            OptOutStatus::Called { called_at, .. } => {
                let by = self.facility.opt_out.call().map(|call| call.by.as_str()).unwrap_or_default();
                let at = self.minute(*called_at);
                let said = Text::new(format!("{at}に{by}さんが電話しました。"), format!("{by} called at {at}."));
                self.call_warning().map_or(said.clone(), |warning| said.then(&warning))
            }
            OptOutStatus::Acknowledged { acknowledged_at } => {
                let at = self.minute(*acknowledged_at);
                Text::new(
                    format!("{at}にコールセンターが受け付けました。次のリストで確認します。"),
                    format!("The call centre confirmed at {at}; a later list will show it."),
                )
            }
            OptOutStatus::Reflected { as_of, .. } => {
                let at = self.date(*as_of);
                Text::new(
                    format!("{at}時点のリストに掲載されていません。"),
                    format!("The list as of {at} doesn't name the facility."),
                )
            }
            OptOutStatus::Withdrawn { withdrawn_at } => {
                let at = self.date(*withdrawn_at);
                Text::new(format!("{at}に申出を取り下げました。"), format!("The opt-out was withdrawn on {at}."))
            }
        }
    }

    /// What is odd about the hour of the call.
    pub(crate) fn call_warning(&self) -> Option<Text> {
        let call = self.facility.opt_out.call()?;
        match self.calendar.open(call.called_at) {
            Opening::Open => None,
            Opening::Closed => Some(Text::fixed(
                "ただし、コールセンターの受付時間外の日時です。",
                "But the call centre was closed at that time.",
            )),
            Opening::Unknown => Some(Text::fixed(
                "その年の祝日が分からないため、受付時間内かどうかは確認できません。",
                "Whether the call centre was open can't be told: the holidays of that year are not known.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use yomitori_proto::event::Stated;

    use super::*;
    use crate::listing::Coverage;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::days(day)
    }

    fn call(process: &mut OptOut, on: i64) {
        process.called(day(on), None, &Stated { by: "Sato".to_owned(), why: None, stated_at: day(on) });
    }

    fn list(process: &mut OptOut, as_of: i64, listed: bool) {
        let snapshot = SnapshotId(uuid::Uuid::from_u128(as_of.unsigned_abs().into()));
        let sight = Sight { as_of: day(as_of), snapshot, coverage: Coverage::Full, listed, codes: Vec::new() };
        let listing = if listed {
            Listing::Listed { since: day(as_of), last_seen_at: day(as_of) }
        } else {
            Listing::NotListed { as_of: day(as_of) }
        };
        process.list_observed(&sight, &listing);
    }

    fn reflected(process: &OptOut) -> Option<DateTime<Utc>> {
        process.reflected.map(|(_, as_of)| as_of)
    }

    #[test]
    fn only_a_list_of_a_later_day_than_the_call_reflects_it() {
        for (as_of, expected) in [(9, None), (10, None), (11, Some(day(11)))] {
            let mut process = OptOut::default();
            call(&mut process, 10);
            list(&mut process, as_of, false);
            assert_eq!(reflected(&process), expected, "a list of day {as_of}");
        }
    }

    #[test]
    fn a_call_after_the_list_was_corrected_begins_anew_and_an_earlier_one_does_not() {
        for (called, expected) in [(11, Some(day(12))), (12, Some(day(12))), (13, None)] {
            let mut process = OptOut::default();
            call(&mut process, 10);
            list(&mut process, 12, false);
            call(&mut process, called);
            assert_eq!(reflected(&process), expected, "a call on day {called}");
        }
    }

    #[test]
    fn how_often_it_was_listed_again_is_kept_until_the_wish_changes() {
        let mut process = OptOut::default();
        call(&mut process, 10);
        list(&mut process, 12, false);
        list(&mut process, 14, true);
        assert_eq!(process.listed_again, 1);
        assert_eq!(reflected(&process), None);
        call(&mut process, 15);
        list(&mut process, 16, false);
        call(&mut process, 17);
        assert_eq!((process.listed_again, reflected(&process)), (1, None));
        process.withdrawn(day(18));
        assert_eq!(process, OptOut { withdrawn_at: Some(day(18)), ..OptOut::default() });
        process.acknowledged(day(19));
        assert_eq!(process, OptOut { acknowledged_at: Some(day(19)), ..OptOut::default() });
    }

    #[test]
    fn an_older_list_and_one_of_the_same_day_are_told_apart() {
        let mut process = OptOut::default();
        call(&mut process, 10);
        list(&mut process, 12, false);
        list(&mut process, 11, true);
        assert_eq!(reflected(&process), Some(day(12)));
        list(&mut process, 12, true);
        assert_eq!((reflected(&process), process.listed_again), (None, 0));
    }
}
