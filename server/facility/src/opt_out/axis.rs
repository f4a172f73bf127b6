//! The opt-out axis: the part of the process that is shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::SnapshotId;

use super::process::{Call, Process};
use crate::calendar::Opening;
use crate::evidence::Total;
use crate::intent::Wish;
use crate::listing::Listing;
use crate::text::{Axis, Text};
use crate::view::View;
use crate::word::words;

/// The opt-out axis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
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

impl View<'_> {
    pub(crate) fn opt_out(
        &self,
        process: &Process,
        wish: &Wish,
        total: &Total,
        listing: &Listing,
    ) -> Axis<OptOutStatus> {
        let unwanted = matches!(wish, Wish::DoNotWant { .. });
        let listed = matches!(listing, Listing::Listed { .. });
        let cause = OptOutCause::of(total, listed);
        let needed = unwanted && cause.is_some();
        let status = if let Some((snapshot, as_of)) = process.reflected {
            OptOutStatus::Reflected { snapshot, as_of }
        } else if let Some(acknowledged_at) = process.acknowledged_at {
            OptOutStatus::Acknowledged { acknowledged_at }
        } else if let Some(Call { called_at, reference, .. }) = process.call.clone() {
            OptOutStatus::Called { called_at, reference }
        } else if let Some(planned_at) = process.planned_at.filter(|_| needed) {
            OptOutStatus::Planned { planned_at, overdue: self.passed(planned_at) }
        } else if let Some(withdrawn_at) = process.withdrawn_at {
            OptOutStatus::Withdrawn { withdrawn_at }
        } else if needed {
            OptOutStatus::Needed
        } else {
            OptOutStatus::NotNeeded
        };
        let why = self.opt_out_why(&status, process, unwanted, cause);
        Axis::new(status, why)
    }

    fn opt_out_why(
        &self,
        status: &OptOutStatus,
        process: &Process,
        unwanted: bool,
        cause: Option<OptOutCause>,
    ) -> Text {
        match status {
            OptOutStatus::NotNeeded if unwanted && process.planned_at.is_some() => Text::fixed(
                "電話の予定がありますが、読み取りの成功も掲載もないため、電話は不要です。",
                "A call is planned, but no read counts and the list doesn't name the facility, so nobody has to call.",
            ),
            OptOutStatus::NotNeeded if unwanted => Text::fixed(
                "掲載を希望していませんが、読み取りの成功も掲載もまだないため、電話は不要です。",
                "Listing is not wanted, but no read counts and the list doesn't name the facility, so nobody has to call.",
            ),
            OptOutStatus::NotNeeded => {
                Text::fixed("掲載を希望しないという登録がありません。", "Nobody has said that listing is not wanted.")
            }
            OptOutStatus::Needed if process.listed_again > 0 => Text::fixed(
                "一度リストから消えた後、再び掲載されました。",
                "The facility was taken off the list and is listed again.",
            ),
            OptOutStatus::Needed if cause == Some(OptOutCause::Listed) => Text::fixed(
                "掲載を希望していませんが、リストに掲載されています。",
                "Listing is not wanted, and the list names the facility.",
            ),
            OptOutStatus::Needed if cause == Some(OptOutCause::Plausible) => Text::fixed(
                "掲載を希望していません。スマートフォンの読み取りが成功した可能性があり、成功していれば掲載の対象になります。電話しておけば安全です。",
                "Listing is not wanted, and a smartphone read may have succeeded: if it has, the facility qualifies. A call costs little.",
            ),
            OptOutStatus::Needed => Text::fixed(
                "掲載を希望していませんが、スマートフォンの読み取りが成功し、当システムのルールでは掲載条件を満たしています。",
                "Listing is not wanted, and a smartphone read has succeeded: by our rules the facility qualifies.",
            ),
            OptOutStatus::Planned { planned_at, .. } => {
                let at = self.minute(*planned_at);
                let said = Text::new(format!("{at}に電話する予定です。"), format!("Somebody will call at {at}."));
                self.call_warning(process, status).map_or(said.clone(), |warning| said.then(&warning))
            }
            OptOutStatus::Called { called_at, .. } => {
                let by = process.call.as_ref().map(|call| call.by.as_str()).unwrap_or_default();
                let at = self.minute(*called_at);
                let said = Text::new(format!("{at}に{by}さんが電話しました。"), format!("{by} called at {at}."));
                self.call_warning(process, status).map_or(said.clone(), |warning| said.then(&warning))
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

    /// A warning about the hour of the call that was made or is planned.
    pub(crate) fn call_warning(&self, process: &Process, status: &OptOutStatus) -> Option<Text> {
        let at = match status {
            OptOutStatus::Planned { planned_at, .. } => *planned_at,
            OptOutStatus::NotNeeded
            | OptOutStatus::Needed
            | OptOutStatus::Called { .. }
            | OptOutStatus::Acknowledged { .. }
            | OptOutStatus::Reflected { .. }
            | OptOutStatus::Withdrawn { .. } => process.call.as_ref()?.called_at,
        };
        match self.calendar.open(at) {
            Opening::Open => None,
            Opening::Closed => Some(Text::fixed(
                "ただし、コールセンターの受付時間外の日時です。",
                "But the call centre is closed at that time.",
            )),
            Opening::Unconfirmed => Some(Text::fixed(
                "ふだんは受付時間内ですが、年末年始の受付は確認されていません。",
                "The call centre is usually open then; at the turn of the year that is not confirmed.",
            )),
            Opening::Unknown => Some(Text::fixed(
                "その年の祝日が分からないため、受付時間内かどうかは確認できません。",
                "Whether the call centre is open is not known: the holidays of that year are not known.",
            )),
        }
    }
}

/// The strongest reason for a call when the group does not want to be listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OptOutCause {
    Listed,
    Read,
    /// A read may have succeeded, and no entry denies it.
    Plausible,
}

impl OptOutCause {
    fn of(total: &Total, listed: bool) -> Option<Self> {
        if listed {
            Some(Self::Listed)
        } else if total.sufficed.is_some() {
            Some(Self::Read)
        } else {
            total.reads().or(total.plausible).map(|_| Self::Plausible)
        }
    }
}
