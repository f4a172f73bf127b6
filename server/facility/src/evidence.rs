//! Evidence: what was seen here of phones being read, and how strong that is.
//!
//! The authority decides from its own records; this is a local proxy and says its level. It never falls without a
//! [`Superseded`] entry. Where the face reader reads phones by itself, taps can't be seen: "not observable here".

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

/// How strong a piece of evidence is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something that may be a phone lay on the phone reader.
    TapOnly,
    /// And a face reader ended a transaction within the window, which something else explains as well: see [`Doubt`].
    Plausible,
    /// And a face reader ended a transaction soon after, which nothing else explains.
    Correlated,
    /// And the header of its result says that it worked.
    HeaderConfirmed,
    /// Somebody saw it.
    Attested,
}

/// What stands against a tap and a result file being a read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The desk entered a failure or a fallback for it.
    Entered,
    /// It lay there for less than a phone takes.
    Short,
    /// The official software did not work with it, although it was seen to work with others on this terminal.
    NotTaken,
    /// The file came as late as that of a card which is used instead.
    Late,
    /// So many results come at this desk that one follows by chance.
    Busy,
    /// By itself it looks like a read; all taps of the facility together may be chance.
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

    /// The level of a key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.key() == key)
    }

    /// Whether it is claimed as a read.
    #[must_use]
    pub fn is_read(self) -> bool {
        self >= Self::Correlated
    }
}

/// Evidence that had been shown is corrected: never silently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Superseded {
    /// When the read happened, or seemed to.
    pub read_at: DateTime<Utc>,
    /// When the correction reached the server.
    pub received_at: DateTime<Utc>,
    pub was: Option<Level>,
    pub now: Option<Level>,
    pub by: SupersededBy,
}

/// What corrected it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupersededBy {
    /// It came later than the late window allows for.
    Late,
    /// A result that belongs to the tap rather than the one before.
    Result,
    Role,
    ClockStep,
    Withdrawn,
    /// The desk says that it failed, or that something else was used.
    Entry,
    /// The terminal was not in use any more.
    Retired,
}
