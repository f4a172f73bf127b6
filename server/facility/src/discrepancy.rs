//! Flags: evidence, listing and intent contradict each other, or a person has to act.
//!
//! Each flag is a pure predicate over the axes, with a severity, a sentence and a next step.

mod incident;
mod predicate;
mod sentence;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Stated;
use yomitori_proto::id::{StatementId, TerminalId};

use crate::bounds::STATED;
use crate::calendar::Calendar;
use crate::due::LookAt;
use crate::facility::Facility;
use crate::rules::Rules;
use crate::statements::Statements;
use crate::text::{Text, Word};
use crate::view::View;

macro_rules! flags {
    ($($(#[$doc:meta])* $flag:ident = $key:literal, $ja:literal, $en:literal;)*) => {
        /// A condition that a person should know about or act on.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Flag { $($(#[$doc])* $flag,)* }

        impl Flag {
            /// Every flag.
            pub const ALL: &[Self] = &[$(Self::$flag),*];
        }

        crate::word::words! { Flag { $($flag = $key, $ja, $en;)* } }
    };
}

flags! {
    /// The group doesn't want to be listed, and an opt-out call is due.
    OptOutNeeded = "opt_out_needed", "掲載辞退の電話が必要", "opt-out call needed";
    ListedAgainstWish = "listed_against_wish", "希望に反して掲載中", "listed against the wish";
    /// The Canon case.
    CapableButUndecided = "capable_but_undecided", "使える状態なのに方針未定", "capable but undecided";
    ListedButCannotServe = "listed_but_cannot_serve", "掲載中なのに使えない", "listed but can't serve";
    OptOutStale = "opt_out_stale", "電話後も掲載中", "opt-out without effect";
    /// The recorded time of the call is outside the opening hours.
    CallOutsideHours = "call_outside_hours", "受付時間外の電話記録", "call outside opening hours";
    /// An opt-out call was made, although the group wants to be listed.
    OptOutAgainstIntent = "opt_out_against_intent", "希望と申出が矛盾", "opt-out contradicts the intent";
    SucceededNotListed = "succeeded_not_listed", "成功済みなのに未掲載", "succeeded but not listed";
    ListedNoLocalEvidence = "listed_no_local_evidence", "掲載中だが読み取り記録なし", "listed without local evidence";
    CodeMismatch = "code_mismatch", "医療機関コードの不一致", "code mismatch";
    ReaderMissing = "reader_missing", "リーダーが外れている", "reader missing";
    ReaderRoleMissing = "reader_role_missing", "リーダーの用途が未設定", "role of the reader not set";
    /// Readers of one model have different roles, and the system may have swapped them.
    ReaderRoleUnclear = "reader_role_unclear", "同じ機種のリーダーの用途確認", "roles of alike readers to be confirmed";
    ReaderBlocked = "reader_blocked", "リーダーが制限されている", "reader blocked";
    ReaderUnfit = "reader_unfit", "スマホを読めないリーダー", "reader unfit for phones";
    ReaderUnstable = "reader_unstable", "リーダーの接続が不安定", "reader unstable";
    SoftwareDown = "software_down", "必要なソフトが停止", "software down";
    FailureBurst = "failure_burst", "読み取り失敗が続発", "failures in a burst";
    RebootLoop = "reboot_loop", "端末が再起動を繰り返す", "terminal restarts again and again";
    AgentSilent = "agent_silent", "端末の記録が途絶", "terminals silent";
    CollectionIncomplete = "collection_incomplete", "記録に欠落あり", "collection incomplete";
    ClockWrong = "clock_wrong", "端末の時計のずれ", "terminal's clock is wrong";
    /// Two observations share one sequence number; most likely a disk image was copied.
    NumbersReused = "numbers_reused", "同じ番号の記録が二重に届く", "two machines send as one terminal";
    NoticeToHang = "notice_to_hang", "スマホ非対応の掲示が必要", "notice to hang up";
    StickerToPutUp = "sticker_to_put_up", "スマホ対応ステッカーが必要", "sticker to put up";
}

impl Flag {
    /// The severity of the flag, by default.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::OptOutNeeded | Self::ListedButCannotServe | Self::OptOutStale => Severity::Critical,
            Self::ListedAgainstWish
            | Self::CapableButUndecided
            | Self::CallOutsideHours
            | Self::OptOutAgainstIntent
            | Self::SucceededNotListed
            | Self::CodeMismatch
            | Self::ReaderMissing
            | Self::ReaderRoleUnclear
            | Self::ReaderBlocked
            | Self::ReaderUnfit
            | Self::ReaderUnstable
            | Self::SoftwareDown
            | Self::FailureBurst
            | Self::RebootLoop
            | Self::AgentSilent
            | Self::CollectionIncomplete
            | Self::NumbersReused
            | Self::ClockWrong => Severity::Warning,
            Self::ListedNoLocalEvidence | Self::ReaderRoleMissing | Self::NoticeToHang | Self::StickerToPutUp => {
                Severity::Task
            }
        }
    }

    /// Whether the flag is critical if the call centre had confirmed the opt-out before the list named the facility.
    #[must_use]
    pub const fn may_be_critical(self) -> bool {
        matches!(self, Self::ListedAgainstWish)
    }
}

impl FromStr for Flag {
    type Err = UnknownFlag;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|flag| flag.key() == key).ok_or_else(|| UnknownFlag(key.to_owned()))
    }
}

/// The text is not the key of a flag.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a flag")]
pub struct UnknownFlag(String);

/// The severity of a flag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No deadline.
    Task,
    Warning,
    /// To be done today.
    Critical,
}

crate::word::words! {
    Severity {
        Task = "task", "作業", "task";
        Warning = "warning", "注意", "warning";
        Critical = "critical", "至急", "critical";
    }
}

/// A flag that is raised.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FlagStatus {
    pub key: Flag,
    pub label: Text,
    pub severity: Severity,
    /// Description of the problem.
    pub sentence: Text,
    /// Next step.
    pub next: Text,
    /// Start of the incident, if known. Acknowledgements from before it concern an earlier incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// The terminals that the flag is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terminals: Vec<TerminalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// Snoozed until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<DateTime<Utc>>,
}

/// Acknowledgement of a flag by a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub by: String,
    pub at: DateTime<Utc>,
}

/// People's statements about flags.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FlagStatements {
    /// The person who acknowledged.
    acknowledged: BTreeMap<Flag, Statements<String>>,
    /// End of the snooze.
    snoozed: BTreeMap<Flag, Statements<DateTime<Utc>>>,
}

impl FlagStatements {
    /// An unknown flag of another version stays in the log and has no effect here.
    pub(crate) fn acknowledged(&mut self, flag: &str, stated: &Stated) {
        if let Ok(flag) = flag.parse() {
            self.seen(flag, stated);
        }
    }

    fn seen(&mut self, flag: Flag, stated: &Stated) {
        let Stated { by, stated_at, id, .. } = stated;
        self.acknowledged.entry(flag).or_default().state(*stated_at, by.clone(), *id, STATED);
    }

    pub(crate) fn snoozed(&mut self, flag: &str, until: DateTime<Utc>, stated: &Stated) {
        if let Ok(flag) = flag.parse() {
            self.snoozed.entry(flag).or_default().state(stated.stated_at, until, stated.id, STATED);
            self.seen(flag, stated);
        }
    }

    pub(crate) fn withdraw(&mut self, id: StatementId) {
        self.acknowledged.values_mut().for_each(|statements| _ = statements.withdraw(id));
        self.snoozed.values_mut().for_each(|statements| _ = statements.withdraw(id));
    }
}

/// The flags that are raised at `now`.
#[must_use]
pub fn standing(facility: &Facility, rules: &Rules, calendar: &Calendar, now: DateTime<Utc>) -> BTreeSet<Flag> {
    let moment = LookAt::new(now);
    let view = View::new(facility, rules, calendar, &moment);
    view.flags(&view.axes())
}

impl View<'_> {
    pub(crate) fn flag_statuses(&self, axes: &crate::view::Axes) -> Vec<FlagStatus> {
        let attention = &self.facility.attention;
        let standing = self.urgent_first(axes).into_iter();
        standing
            .map(|(severity, flag)| {
                let since = self.flag_since(flag, axes);
                let of_this = |said: DateTime<Utc>| since.is_none_or(|since| since <= said);
                let acknowledged = attention.acknowledged.get(&flag).and_then(Statements::last);
                let acknowledged = acknowledged.filter(|(at, _)| of_this(*at));
                let snoozed = attention.snoozed.get(&flag).and_then(Statements::last);
                let snoozed = snoozed.filter(|(said, until)| of_this(*said) && !self.passed(**until));
                FlagStatus {
                    key: flag,
                    label: flag.label(),
                    severity,
                    sentence: self.flag_sentence(flag, axes),
                    next: self.flag_next(flag),
                    since,
                    terminals: self.flag_terminals(flag),
                    acknowledged: acknowledged.map(|(at, by)| Acknowledgement { by: by.clone(), at }),
                    snoozed_until: snoozed.map(|(_, until)| *until),
                }
            })
            .collect()
    }

    /// The flags that are raised, the most urgent first.
    pub(crate) fn urgent_first(&self, axes: &crate::view::Axes) -> Vec<(Severity, Flag)> {
        let mut flags: Vec<_> = self.flags(axes).into_iter().map(|flag| (self.severity(flag, axes), flag)).collect();
        flags.sort_by_key(|(severity, flag)| (std::cmp::Reverse(*severity), *flag));
        flags
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_names_one_flag() {
        let keys: BTreeSet<&str> = Flag::ALL.iter().map(Word::key).collect();
        assert_eq!(keys.len(), Flag::ALL.len());
        for flag in Flag::ALL {
            assert_eq!(flag.key().parse(), Ok(*flag));
            assert_eq!(serde_json::to_value(flag).unwrap(), flag.key());
        }
        assert_eq!("nonsense".parse::<Flag>().unwrap_err().to_string(), "`nonsense` is not a flag");
    }
}
