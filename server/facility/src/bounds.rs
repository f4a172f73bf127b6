//! Every list of a facility's state that has a limit: what is dropped, and why the verdicts stay the same.
//!
//! The limits keep the state of a facility small enough for one row, for any input. `tests/facility/bounds.rs` overfills each
//! list of this table.

/// A list with a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    pub list: &'static str,
    pub most: usize,
    /// The information that is lost when the list overflows.
    pub forgets: &'static str,
    /// The reason why no axis, count or first success changes.
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
        "the oldest thirteen taps, individually",
        "each tap is counted first, together with its entries; later corrections of such an old tap are ignored";
    FILES = "result files of a terminal", 64,
        "the oldest sixteen result files",
        "the taps near them keep their pairs and their number of earlier results";
    STEPS = "steps of a terminal's clock", 16,
        "the oldest step",
        "taps and entries store their clock error; only a tap and a file on two sides of such an old step could pair";
    ENTRIES = "entries of a desk", 64,
        "the oldest attested read, failure or fallback, individually",
        "it is counted first, together with its tap; it can't be withdrawn any more";
    NOTICES = "notices and restarts of a desk", 16,
        "the oldest notice or restart",
        "only the newest valid one of each kind is used";
    PENDING = "withdrawals that came before their entry", 48,
        "the withdrawal of the oldest entry that never came",
        "an entry arrives at most once, and withdrawals of known entries are not kept";
    WITHDRAWN = "withdrawn statements", 48,
        "one of the withdrawn statements",
        "a statement follows its withdrawal only if it is sent twice within a short time";
    KINDS = "kinds of fallbacks and causes of a desk", 48,
        "the name of a further kind",
        "it is counted as `Other`; the tables have fewer kinds";
    HISTORY = "states of a reader or a program", 8,
        "the oldest state",
        "each tap stores its reader's role; the current state and its start are kept";
    ASSIGNED = "roles that people gave a reader", 8,
        "the oldest role but one",
        "each tap stores its reader's role; only the newest roles affect later taps";
    READERS = "readers of a terminal", 32,
        "a reader without a role for phones first, then an absent one, then the one unobserved for longest",
        "each tap stores its reader's role; a present reader for phones is removed last";
    LIVES = "lives of a terminal", 64,
        "the numbers of the oldest life",
        "an observation of an unknown life counts as a duplicate if it is older than that, so nothing counts twice";
    RUNS = "holes in a life", 64,
        "the oldest hole, individually",
        "later arrivals for it are ignored, and the life stays incomplete permanently";
    DIGESTS = "digests of the newest observations of a life", 16,
        "the oldest observation's contents",
        "the reuse of a number is detected only if the number is among the newest, or observed after later numbers";
    ENDED = "ended sessions of a terminal", 8,
        "the oldest session that ended",
        "a session ends before its terminal begins eight others";
    SUPERSEDED = "corrections of evidence", 32,
        "the oldest correction",
        "it describes the past and belongs to no axis; the log keeps it";
    GAPS = "gaps of a terminal", 16,
        "the gap that ended longest ago",
        "gaps are shown for some days only, the newest first";
    REBOOTS = "restarts of a terminal", 16,
        "the oldest restart",
        "a burst is detected among the newest";
    STATED = "statements of one thing, such as of the face reader", 4,
        "the oldest statement but one",
        "the newest one holds, and the first one gives the start; a forgotten one can't be withdrawn any more";
    IN_USE = "enrolments and retirements of a terminal", 8,
        "the oldest enrolment or retirement but one",
        "earlier reads are already counted; the newest one shows whether the terminal is in use";
    MAINTENANCE = "windows of maintenance", 16,
        "the window that began longest ago but one",
        "a window excuses silence that lasts until now";
    CLOSURES = "closures of the facility", 32,
        "the closure that began longest ago but one",
        "closures excuse silence and call days that last until now";
    HEARD = "digests of statements", 64,
        "the oldest statement's digest",
        "a repeated act, list or role has no further effect; only a person's desk entry would count twice";
    INTENTS = "statements of intent", 16,
        "the oldest statement",
        "the newest one by its date holds";
    ACTS = "acts of an opt-out", 32,
        "the oldest act, individually",
        "its effect is kept; an act dated before it is ignored";
    SIGHTS = "snapshots of the ministry's list", 24,
        "the oldest snapshot, individually",
        "its effect on listing and opt-out is kept; a snapshot dated before it is ignored";
    SIGHT_CODES = "codes of one facility in one snapshot", 8,
        "a further code",
        "no facility has that many codes";
    CODES = "institution codes of a facility", 16,
        "a code that ended, the first one first",
        "no facility has that many codes; a valid code is removed last";
    IDENTITY_ACTS = "registrations and changes of codes of a facility", 16,
        "the oldest one",
        "its effect is kept; only a later statement that is dated before it is no longer ordered exactly";
    WITHDRAWN_CODES = "withdrawn institution codes of a facility", 16,
        "one of the withdrawn codes",
        "a row of a list that matched this code alone is the facility's again; people withdraw a code once in years";
    PLACES = "prefectures of a facility", 8,
        "the oldest prefecture",
        "lists from before such an old move are forgotten too";
}
