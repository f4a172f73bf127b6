//! Every list of a facility's state that has a limit: what it forgets, and why that changes no verdict.
//!
//! The state of a facility fits in one row whatever it is sent. `tests/bounds.rs` overfills each list of this table.

/// A list that has a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    pub list: &'static str,
    pub most: usize,
    /// What is no longer known where more comes in.
    pub forgets: &'static str,
    /// Why no axis, count or first success changes by that.
    pub why: &'static str,
}

macro_rules! bounds {
    ($($name:ident = $list:literal, $most:literal, $forgets:literal, $why:literal;)*) => {
        $(pub(crate) const $name: usize = $most;)*
        /// The table.
        pub const BOUNDS: &[Bound] =
            &[$(Bound { list: $list, most: $most, forgets: $forgets, why: $why }),*];
    };
}

bounds! {
    TAPS = "taps of a terminal", 48,
        "the oldest thirteen taps, one by one",
        "what became of it, its entries included, is counted first; a correction of so old a tap is not taken in any more";
    FILES = "result files of a terminal", 64,
        "the oldest sixteen result files",
        "taps near it keep what they were paired with and how many results came before them";
    STEPS = "steps of a terminal's clock", 16,
        "the oldest step",
        "each tap and entry holds by how much its clock was wrong; only a tap and a file on two sides of a step that old could be paired";
    ENTRIES = "entries of a desk", 64,
        "the oldest attested read, failure or fallback by itself",
        "it is counted first, together with the tap that it belongs to; it can't be taken back any more";
    NOTICES = "notices and restarts of a desk", 16,
        "the oldest notice or restart",
        "only the newest of a kind that stands is looked at";
    PENDING = "withdrawals that came before their entry", 48,
        "the withdrawal of the oldest entry that never came",
        "an entry arrives at most once, and withdrawals of entries that are there are not kept";
    WITHDRAWN = "withdrawn statements", 48,
        "one of the withdrawn statements",
        "a statement follows its withdrawal only where it is sent a second time, soon after";
    KINDS = "kinds of fallbacks and causes of a desk", 48,
        "the name of a further kind",
        "it is counted as Other; the tables have fewer kinds";
    HISTORY = "states of a reader or a program", 8,
        "the oldest state",
        "each tap holds what its reader was for; the present state and its beginning stay";
    ASSIGNED = "roles that people gave a reader", 8,
        "the oldest role but one",
        "each tap holds what its reader was for; the newest roles decide from now on";
    READERS = "readers of a terminal", 32,
        "a reader that is gone, those for phones last, the one heard of longest ago first",
        "each tap holds what its reader was for; a reader that is there and for phones gives way last";
    LIVES = "lives of a terminal", 64,
        "which numbers of the oldest life were read",
        "what an unknown life observed before that life's end counts as read before, so that nothing counts twice";
    RUNS = "holes in a life", 64,
        "the oldest hole by itself",
        "what arrives for it later is not taken in, and the life stays incomplete for good";
    DIGESTS = "newest observations of a life that are told apart from others of the same number", 16,
        "the oldest observation's contents",
        "a number that is used twice is told as such only while it is among the newest, or observed after later ones";
    ENDED = "ended sessions of a terminal", 8,
        "the oldest session that ended",
        "a session is ended before its terminal begins eight others";
    SUPERSEDED = "corrections of evidence", 32,
        "the oldest correction",
        "it tells of the past and is no part of any axis; the log has it";
    GAPS = "gaps of a terminal", 16,
        "the gap that ended longest ago",
        "gaps are shown for some days only, the newest first";
    REBOOTS = "restarts of a terminal", 16,
        "the oldest restart",
        "a burst is looked for among the newest";
    STATED = "statements of one thing, such as of the face reader", 4,
        "the oldest statement but one",
        "the newest one holds, and the first one says since when; one that is forgotten can't be withdrawn any more";
    IN_USE = "enrolments and retirements of a terminal", 8,
        "the oldest enrolment or retirement but one",
        "reads of so long ago are counted already; the newest says whether the terminal is in use";
    MAINTENANCE = "windows of maintenance", 16,
        "the window that began longest ago but one",
        "a window excuses silence that lasts until now";
    CLOSURES = "closures of the facility", 32,
        "the closure that began longest ago but one",
        "closures excuse silence and call days that last until now";
    HEARD = "statements told apart", 64,
        "the oldest statement's digest",
        "acts, lists and roles said twice are the same act; only a person's entry of the desk would count twice";
    INTENTS = "statements of intent", 16,
        "the oldest statement",
        "the newest one by its date holds";
    ACTS = "acts of an opt-out", 32,
        "the oldest act by itself",
        "what followed from it is kept; an act dated before it is not taken in any more";
    SIGHTS = "snapshots of the ministry's list", 24,
        "the oldest snapshot by itself",
        "what followed from it for listing and opt-out is kept; a snapshot dated before it is not taken in any more";
    SIGHT_CODES = "codes of one facility in one snapshot", 8,
        "a further code",
        "no facility has so many";
    CODES = "institution codes of a facility", 16,
        "a code that ended, the first one first",
        "no facility has so many; a code that is valid gives way last";
    IDENTITY_ACTS = "registrations and changes of codes of a facility", 16,
        "the oldest one",
        "what followed from it is kept; only what is typed so late that it comes before it no longer finds its place";
    PLACES = "prefectures of a facility", 8,
        "the oldest prefecture",
        "lists from before a move that old are forgotten too";
}
