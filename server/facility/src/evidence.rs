//! Evidence: what was seen here of phones being read, and how strong that is.
//!
//! The authority decides from its own records; this is a local proxy and says its level. It never falls without a
//! [`Superseded`] entry. Where the face reader reads phones by itself, taps can't be seen: "not observable here".

mod axis;
mod tally;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::text::Word;
use crate::word::words;

pub(crate) use axis::Total;
pub use axis::{Eligible, Evidence, LevelCount};
pub(crate) use tally::Tally;

/// How strong a piece of evidence is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something that may be a phone lay on the phone reader.
    TapOnly,
    /// And a face reader ended a transaction soon after.
    Correlated,
    /// And the header of its result says that it worked.
    HeaderConfirmed,
    /// Somebody saw it.
    Attested,
}

words! {
    Level {
        TapOnly = "tap_only", "タップのみ", "tap only";
        Correlated = "correlated", "タップと結果ファイルが対応", "tap and result file correlate";
        HeaderConfirmed = "header_confirmed", "結果ファイルで正常終了を確認", "confirmed by the result's header";
        Attested = "attested", "担当者が確認", "attested by a person";
    }
    SupersededBy {
        Late = "late", "遅れて届いた記録", "a record that came late";
        Result = "result", "別の結果ファイル", "another result file";
        Role = "role", "リーダーの用途の設定", "the role of the reader";
        ClockStep = "clock_step", "端末の時計の変更", "a step of the terminal's clock";
        Withdrawn = "withdrawn", "窓口での取り消し", "an entry taken back at the desk";
    }
}

impl Level {
    /// Every level, weakest first.
    pub const ALL: [Self; 4] = [Self::TapOnly, Self::Correlated, Self::HeaderConfirmed, Self::Attested];

    /// The level of a key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.key() == key)
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
}
