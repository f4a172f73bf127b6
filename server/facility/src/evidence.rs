//! Evidence of phone reads at this facility, and its strength.
//!
//! The authority decides from its own records; this evidence is a local proxy and states its level. The level never
//! falls without a [`Superseded`] entry. If the face reader reads phones by itself, taps are invisible: "not observable
//! here".

mod axis;
mod reads;
mod tally;
mod total;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::text::Word;
use crate::word::words;

pub use axis::{DoubtCount, Eligible, Evidence, LevelCount};
pub use reads::{ReadStatus, reads};
pub(crate) use tally::{Grade, Tally, sum};
pub(crate) use total::Total;

/// The strength of a piece of evidence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A medium that may be a phone lay on the phone reader.
    TapOnly,
    /// In addition, a face reader completed a transaction within the window, but something else explains it too: see
    /// [`Doubt`].
    Plausible,
    /// In addition, a face reader completed a transaction soon after, and nothing else explains it.
    Correlated,
    /// In addition, the header of the result reports success.
    HeaderConfirmed,
    /// A person saw the read.
    Attested,
}

/// The reason against a tap and a result file being a read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The desk entered a failure or a fallback for it.
    Entered,
    /// The tap was shorter than a phone's.
    Short,
    /// The official software did not react to the tap, although it reacts to others on this terminal.
    NotTaken,
    /// It may have been on another reader of the same model that is for something else.
    Alike,
    /// The file came as late as the result of a card that is used instead.
    Late,
    /// Results are so frequent at the desk that one may follow by chance.
    Busy,
    /// The pair looks like a read, but all taps of the facility together may be chance.
    Chance,
}

words! {
    Level {
        TapOnly = "tap_only", "タップのみ", "tap only";
        Plausible = "plausible", "成功の可能性あり（ほかの説明もつく）", "plausible: something else explains it as well";
        Correlated = "correlated", "タップと結果ファイルが対応", "tap and result file correlate";
        HeaderConfirmed = "header_confirmed", "結果ファイルで正常終了を確認", "confirmed by the result's header";
        Attested = "attested", "担当者が確認", "attested by a person";
    }
    Doubt {
        Entered = "entered", "受付が失敗または代替手段を記録した", "the desk entered a failure or a fallback";
        Short = "short", "タップが短すぎる", "it lay on the reader for less than a phone takes";
        NotTaken = "not_taken", "資格確認のソフトが反応していない", "the official software did not take it, as it takes others here";
        Alike = "alike", "同じ機種の別の用途のリーダーだった可能性がある", "it may have been on the other reader of the same model";
        Late = "late", "カードに切り替えた時のように遅い結果", "the result came as late as that of a card used instead";
        Busy = "busy", "受付が混んでいて偶然でも結果が続く", "the desk was so busy that a result follows by chance";
        Chance = "chance", "全体としては偶然でも起こりうる", "all taps here together may be chance";
    }
    SupersededBy {
        Late = "late", "遅れて届いた記録", "a record that came late";
        Result = "result", "別の結果ファイル", "another result file";
        Role = "role", "リーダーの用途の設定", "the role of the reader";
        ClockStep = "clock_step", "端末の時計の変更", "a step of the terminal's clock";
        Withdrawn = "withdrawn", "窓口での取り消し", "an entry taken back at the desk";
        Entry = "entry", "受付の記録（失敗・代替手段）", "a failure or a fallback that the desk entered";
        Retired = "retired", "端末の使用終了", "the terminal's retirement";
    }
}

impl Level {
    /// Every level, weakest first.
    pub const ALL: [Self; 5] =
        [Self::TapOnly, Self::Plausible, Self::Correlated, Self::HeaderConfirmed, Self::Attested];

    /// The level with that key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.key() == key)
    }

    /// Whether the level is claimed as a read.
    #[must_use]
    pub fn is_read(self) -> bool {
        self >= Self::Correlated
    }
}

/// A correction of evidence that had been shown. Every correction is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Superseded {
    /// Time of the read, real or apparent.
    pub read_at: DateTime<Utc>,
    /// Time at which the correction reached the server.
    pub received_at: DateTime<Utc>,
    pub was: Option<Level>,
    pub now: Option<Level>,
    pub by: SupersededBy,
}

/// The source of the correction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupersededBy {
    /// The observation arrived after the late window.
    Late,
    /// A result that belongs to this tap rather than to the one before.
    Result,
    Role,
    ClockStep,
    Withdrawn,
    /// The desk entered a failure or a fallback.
    Entry,
    /// The terminal had been retired.
    Retired,
}
