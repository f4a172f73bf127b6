//! The state of a facility, folded from the event log, and everything that follows from it.
//!
//! [`fold`] reads facts; [`status`] and [`standing`] evaluate the state at an instant; [`due`] gives the next instant
//! at which the result changes by the passing of time alone.
//!
//! Evidence (reads observed here), listing (the ministry's list) and intent (the group's wish) are independent and
//! never merged. Flags are pure predicates over them. Rules, holidays, hours, causes and face readers are data, because
//! they may change.
//!
//! The crate has no clock, file, network or random source, and no map with a varying order of iteration.
//!
//! Each axis file holds both the folded state and its evaluation at an instant, so the axes and `view` know each other.

mod attempt;
mod bounded;
mod bounds;
mod calendar;
mod cause;
mod collection;
mod correlate;
mod desk;
mod discrepancy;
mod due;
mod equipment;
mod evidence;
mod explain;
mod facility;
mod freshness;
mod history;
mod hours;
mod identity;
mod instant;
mod intent;
mod json;
pub mod lines;
mod listing;
mod opt_out;
mod reader;
mod readiness;
mod rules;
mod seen;
mod settle;
mod stamp;
mod statements;
mod status;
mod terminal;
mod text;
mod timeline;
mod view;
mod weigh;
mod word;

pub use bounds::{BOUNDS, Bound};
pub use calendar::{Calendar, CalendarError, Opening};
pub use cause::{Cause, FaceReaderModel, Fallback};
pub use collection::{CollectionLimit, SettingsStatus};
pub use discrepancy::{Acknowledgement, Flag, FlagStatus, Severity, UnknownFlag, standing};
pub use due::due;
pub use equipment::{Equipment, FaceReader, MissingPart, ReaderStatus, Trouble};
pub use evidence::{
    Doubt, DoubtCount, Eligible, Evidence, Level, LevelCount, ReadStatus, Superseded, SupersededBy, reads,
};
pub use explain::{Change, EXAMPLE, Explanation, Fleet, Step, StepCause, difference, explain};
pub use facility::{FOLD, Facility, fold, withdrawable};
pub use freshness::{Freshness, TerminalStatus};
pub use hours::{Hours, HoursError};
pub use identity::CodeStatus;
pub use intent::{IntentStatement, Wish};
pub use json::StoredJson;
pub use listing::{Coverage, Lag, Listing};
pub use opt_out::OptOutStatus;
pub use readiness::{POSTER_ADDRESS, ReadinessStep, StepKind};
pub use rules::{Burst, Delay, RuleError, RuleSet, Rules};
pub use seen::Hole;
pub use status::{CountedWord, FaceReaderStatus, PurchaseStatus, Status, status};
pub use terminal::{Gap, Versions};
pub use text::{Axis, Text, Word};
pub use timeline::{StatusWords, Timeline, TimelineHead, TimelineSpan, look, takes_back, timeline, valid_from};
