//! The steps of the ministry's notice: reader purchased, connected, reception arranged; for face readers that read
//! phones by themselves, reader and terminal restarted. Also the notice that is required at the entrance.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::vocabulary::{Notice, PhoneNative, Purchase, ReaderRole};

use crate::desk::{DeskEntry, DeskEntryKind};
use crate::equipment::Equipment;
use crate::terminal::Presence;
use crate::text::{Text, Word};
use crate::view::{Axes, View};
use crate::word::words;

/// Address of the medical association's notice for facilities without phone support.
pub const POSTER_ADDRESS: &str = "https://www.med.or.jp/doctor/sys/onshi/012299.html";

/// A step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    Purchase,
    Connection,
    Reception,
    TerminalRestart,
    ReaderRestart,
    Poster,
    Sticker,
}

words! {
    StepKind {
        Purchase = "purchase", "汎用カードリーダーの選定・購入", "choose and buy a general-purpose reader";
        Connection = "connection", "資格確認端末への接続", "connect it to the eligibility terminal";
        Reception = "reception", "受付の準備", "arrange the reception desk";
        TerminalRestart = "terminal_restart", "資格確認端末の再起動", "restart the eligibility terminal";
        ReaderRestart = "reader_restart", "顔認証付きカードリーダーの再起動", "restart the face reader";
        Poster = "poster", "スマホ非対応の掲示", "hang up the notice that phones are not supported";
        Sticker = "sticker", "スマホ対応ステッカーの掲示", "put up the sticker that phones are supported";
    }
}

/// One step, and whether it is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReadinessStep {
    pub key: StepKind,
    pub label: Text,
    pub done: bool,
    /// Time at which it was done, if known.
    pub done_at: Option<DateTime<Utc>>,
    pub why: Text,
    /// Instruction for the step; `None` if it is done.
    pub next: Option<Text>,
}

fn step(
    key: StepKind,
    done_at: Option<DateTime<Utc>>,
    done: bool,
    said: Text,
    todo: Text,
    next: Text,
) -> ReadinessStep {
    let (why, next) = if done { (said, None) } else { (todo, Some(next)) };
    ReadinessStep { key, label: key.label(), done, done_at: done_at.filter(|_| done), why, next }
}

impl View<'_> {
    /// The steps that apply, in order.
    pub(crate) fn readiness(&self, axes: &Axes) -> Vec<ReadinessStep> {
        let mut steps = if self.facility.phone_native() == PhoneNative::Yes {
            vec![self.terminal_restart(), self.reader_restart()]
        } else {
            vec![self.purchase(), self.connection(), self.reception()]
        };
        steps.extend(self.notice_due(axes));
        steps
    }

    /// Whether a patient can use a phone here; `None` if unknown.
    pub(crate) fn supports_phones(&self, axes: &Axes) -> Option<bool> {
        if axes.total.reads().is_some() {
            return Some(true);
        }
        match axes.equipment.value {
            Equipment::Ready { .. } | Equipment::Degraded { .. } => Some(true),
            Equipment::None { .. } | Equipment::Incomplete { .. } => Some(false),
            Equipment::Unknown | Equipment::Offline { .. } => None,
        }
    }

    /// The notice that is required at the entrance, and whether it is there.
    pub(crate) fn notice_due(&self, axes: &Axes) -> Option<ReadinessStep> {
        let attested = Text::fixed("掲示済みと記録されています。", "Somebody has said that it hangs.");
        let todo = Text::fixed("掲示の記録がありません。", "Nobody has said that it hangs.");
        Some(if self.supports_phones(axes)? {
            let hung_at = self.hung_at(Notice::SupportedSticker);
            let next = Text::fixed(
                "受付の見える場所にスマホ対応ステッカーを貼り、記録してください。",
                "Put the sticker where patients see it, and record it.",
            );
            step(StepKind::Sticker, hung_at, hung_at.is_some(), attested, todo, next)
        } else {
            let hung_at = self.hung_at(Notice::NotSupportedPoster);
            let next = Text::new(
                format!("日本医師会の資料を掲示し、記録してください: {POSTER_ADDRESS}"),
                format!("Hang up the medical association's material and record it: {POSTER_ADDRESS}"),
            );
            step(StepKind::Poster, hung_at, hung_at.is_some(), attested, todo, next)
        })
    }

    fn hung_at(&self, notice: Notice) -> Option<DateTime<Utc>> {
        self.desk_notices()
            .filter(|entry| entry.kind == DeskEntryKind::Notice { notice })
            .map(|entry| self.entered_at(entry))
            .max()
    }

    fn entered_at(&self, entry: &DeskEntry) -> DateTime<Utc> {
        entry.stamp.true_at(self.rules.at(entry.stamp.at))
    }

    fn first_phone_reader_at(&self) -> Option<DateTime<Utc>> {
        // A terminal that is retired now had been connected before.
        let readers = self.facility.terminals.values().flat_map(|terminal| {
            terminal.readers.values().filter_map(|reader| match self.presence(terminal, reader) {
                Presence::Present(since) if self.role(reader) == ReaderRole::Phone => Some(since),
                Presence::Present(_) | Presence::Absent(_) | Presence::Never => None,
            })
        });
        readers.min()
    }

    fn phone_reader_known(&self) -> bool {
        let mut readers = self.facility.terminals.values().flat_map(|terminal| terminal.readers.values());
        readers.any(|reader| reader.presence().is_some() && self.role(reader) == ReaderRole::Phone)
    }

    fn purchase(&self) -> ReadinessStep {
        let bought_at = self.facility.purchases.get(&Purchase::Reader).and_then(|said| said.first()).map(|(at, _)| at);
        let seen = self.phone_reader_known();
        let said = if bought_at.is_some() {
            Text::fixed("購入済みと記録されています。", "The purchase is recorded.")
        } else {
            Text::fixed("リーダーの接続が確認されています。", "A reader has been seen.")
        };
        step(
            StepKind::Purchase,
            bought_at,
            bought_at.is_some() || seen,
            said,
            Text::fixed("購入の記録も接続もありません。", "Neither a purchase nor a reader is known."),
            Text::fixed(
                "顔認証付きカードリーダーに合う汎用カードリーダーを選びます。補助を受ける場合の招待コードは医療機関等向け総合ポータルサイトの「スマートフォン対応」の案内にあります。他に渡さないでください。ここには入力しません。",
                "Choose a general-purpose reader that fits the face reader. The invitation code for the subsidy is on the portal for medical institutions under \"smartphone support\"; it must not be passed on, and is never entered here.",
            ),
        )
    }

    fn connection(&self) -> ReadinessStep {
        let since = self.first_phone_reader_at();
        step(
            StepKind::Connection,
            since,
            since.is_some(),
            Text::fixed("スマートフォン用リーダーが接続されています。", "A reader for phones is connected."),
            Text::fixed("スマートフォン用リーダーが見えません。", "No reader for phones is seen."),
            Text::fixed(
                "顔認証付きカードリーダーではなく資格確認端末のUSBに接続し、用途を「スマートフォン用」に設定してください。",
                "Connect it to the eligibility terminal, not to the face reader, and set its role to \"for smartphones\".",
            ),
        )
    }

    fn reception(&self) -> ReadinessStep {
        let arranged_at = self.facility.arranged.last().map(|(at, ())| at);
        step(
            StepKind::Reception,
            arranged_at,
            arranged_at.is_some(),
            Text::fixed("受付の準備が記録されています。", "The desk is recorded as ready."),
            Text::fixed("受付の準備の記録がありません。", "Nobody has said that the desk is ready."),
            Text::fixed(
                "リーダーを顔認証付きカードリーダーの横に、金属を避けて置き、記録してください。",
                "Put the reader beside the face reader, not on metal, and record it.",
            ),
        )
    }

    fn terminal_restart(&self) -> ReadinessStep {
        let booted_at = self.facility.terminals.values().filter_map(|terminal| terminal.booted_at(self.set)).max();
        let booted_at = booted_at.filter(|at| self.set.counts_since <= *at);
        step(
            StepKind::TerminalRestart,
            booted_at,
            booted_at.is_some(),
            Text::fixed("端末の再起動が観測されています。", "A restart of the terminal was observed."),
            Text::fixed(
                "開始日以降の端末の再起動が観測されていません。",
                "No restart since the general start was observed.",
            ),
            Text::fixed("資格確認端末を再起動してください。", "Restart the eligibility terminal."),
        )
    }

    fn reader_restart(&self) -> ReadinessStep {
        let restarts = self.desk_notices().filter(|entry| entry.kind == DeskEntryKind::Restarted);
        let restarted = restarts.map(|entry| self.entered_at(entry)).max();
        let restarted_at = restarted.filter(|at| self.set.counts_since <= *at);
        step(
            StepKind::ReaderRestart,
            restarted_at,
            restarted_at.is_some(),
            Text::fixed("リーダーの再起動が記録されています。", "A restart of the face reader is recorded."),
            Text::fixed(
                "開始日以降のリーダーの再起動の記録がありません。",
                "No restart since the general start is recorded.",
            ),
            Text::fixed(
                "顔認証付きカードリーダーを再起動し、記録してください。",
                "Restart the face reader and record it.",
            ),
        )
    }
}
