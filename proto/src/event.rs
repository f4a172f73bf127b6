//! All events, as parsed values that need not be checked again.
//!
//! The JSON form of these types is the documented form of `explain --events`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{Boot, FacilityId, Instance, Life, ReaderKey, Seq, Session, SnapshotId, StatementId, TerminalId};
use crate::vocabulary::{
    Closes, CollectionLevel, Component, ComponentState, DisconnectReason, GapSource, Intent, LinkageFolder,
    LinkageKind, Medium, Notice, PhoneNative, PhoneOs, Purchase, PurchaseRoute, ReadOutcome, ReaderRole, RebootKind,
    SettingsOutcome, StartReason, StopReason, Way,
};

pub use crate::unknown::KindContent;

/// One fact of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    pub facility: FacilityId,
    /// By the server's clock.
    pub received_at: DateTime<Utc>,
    pub origin: Origin,
    pub event: Event,
}

/// Who states the fact.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    Terminal(Observed),
    Person(Stated),
    /// A server instance noticed it.
    Server {
        instance: Instance,
        stated_at: DateTime<Utc>,
    },
    /// A row of the ministry's list, or its absence.
    List {
        snapshot: SnapshotId,
        stated_at: DateTime<Utc>,
    },
}

/// The position of an observation in a terminal's life, and its times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    pub terminal: TerminalId,
    pub life: Life,
    pub seq: Seq,
    /// By the terminal's clock.
    pub occurred_at: DateTime<Utc>,
    /// By the terminal's clock; later than `occurred_at` if the agent found it afterwards.
    pub observed_at: DateTime<Utc>,
    /// By the terminal's clock, when it was sent.
    pub sent_at: DateTime<Utc>,
}

/// A person's statement: a fact with provenance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub stated_at: DateTime<Utc>,
    /// Absent in old statements, which had no identifiers; those can't be withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<StatementId>,
}

impl Recorded {
    /// When it happened, by the clock of the origin.
    #[must_use]
    pub fn occurred_at(&self) -> DateTime<Utc> {
        match &self.origin {
            Origin::Terminal(observed) => observed.occurred_at,
            Origin::Person(stated) => stated.stated_at,
            Origin::Server { stated_at, .. } | Origin::List { stated_at, .. } => *stated_at,
        }
    }

    /// The terminal that observed it, if there is one.
    #[must_use]
    pub fn observed(&self) -> Option<&Observed> {
        match &self.origin {
            Origin::Terminal(observed) => Some(observed),
            Origin::Person(_) | Origin::Server { .. } | Origin::List { .. } => None,
        }
    }
}

/// An observation before it is in the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Observation {
    pub seq: Seq,
    pub occurred_at: DateTime<Utc>,
    pub observed_at: DateTime<Utc>,
    pub event: Event,
}

/// One record of the log, before it is split into [`Recorded`] facts.
#[derive(Clone, PartialEq, Debug)]
pub struct LogRecord {
    pub facility: FacilityId,
    pub received_at: DateTime<Utc>,
    pub body: LogBody,
}

/// The content of a record of the log.
#[derive(Clone, PartialEq, Debug)]
pub enum LogBody {
    Terminal {
        terminal: TerminalId,
        life: Life,
        sent_at: DateTime<Utc>,
        observations: Vec<Observation>,
    },
    /// `origin` is never [`Origin::Terminal`].
    Statement {
        origin: Origin,
        event: Event,
    },
}

impl LogRecord {
    /// The facts in this record, in order.
    pub fn into_facts(self) -> impl Iterator<Item = Recorded> {
        let Self { facility, received_at, body } = self;
        let facts: Vec<Recorded> = match body {
            LogBody::Statement { origin, event } => vec![Recorded { facility, received_at, origin, event }],
            LogBody::Terminal { terminal, life, sent_at, observations } => observations
                .into_iter()
                .map(|Observation { seq, occurred_at, observed_at, event }| {
                    let observed = Observed { terminal, life, seq, occurred_at, observed_at, sent_at };
                    Recorded { facility, received_at, origin: Origin::Terminal(observed), event }
                })
                .collect(),
        };
        facts.into_iter()
    }
}

/// Who may state an event of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaker {
    Terminal,
    /// A person on the terminal's desk page, or signed in.
    Anyone,
    Person,
    Server,
    List,
}

macro_rules! events {
    ($($(#[$group_doc:meta])* $speaker:ident { $($(#[$doc:meta])* $kind:ident = $word:literal
        { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })* })*) => {
        $($(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $kind { $($(#[$field_doc])* pub $field: $type),* }
        )*)*

        /// What happened.
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Event { $($($kind($kind),)*)* }

        impl Event {
            /// Every kind by its name in JSON, SQL and metrics.
            pub const KINDS: &[&str] = &[$($($word,)*)*];

            /// The name of this kind.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $($(Self::$kind(_) => $word,)*)* }
            }

            /// Who may state this event.
            #[must_use]
            pub const fn speaker(&self) -> Speaker {
                match self { $($(Self::$kind(_) => Speaker::$speaker,)*)* }
            }
        }

        $($(impl From<$kind> for Event {
            fn from(event: $kind) -> Self { Self::$kind(event) }
        })*)*
    };
}

events! {
    Terminal {
        /// The agent started; what follows in this life belongs to `boot`.
        AgentStarted = "agent_started" {
            boot: Boot,
            agent_version: String,
            #[serde(default)]
            reason: StartReason,
            #[serde(default)]
            config_hash: u64,
            #[serde(default)]
            collection: CollectionLevel,
        }
        /// The agent stopped in order.
        AgentStopped = "agent_stopped" { #[serde(default)] reason: StopReason }
        /// The terminal's operating system started.
        TerminalRebooted = "terminal_rebooted" { #[serde(default)] kind: RebootKind }
        /// The wall clock was changed relative to the monotonic clock.
        ClockStepped = "clock_stepped" { delta_ms: i64 }
        /// Versions of the official software.
        SoftwareVersionsObserved = "software_versions_observed" {
            #[serde(default)] com_app: Option<String>,
            #[serde(default)] distro_app: Option<String>,
            #[serde(default)] auth: Option<String>,
            #[serde(default)] os_build: Option<String>,
        }
        /// A program of the official software changed its state.
        ComponentStateObserved = "component_state_observed" { component: Component, state: ComponentState }
        /// A reader was attached.
        ReaderAttached = "reader_attached" {
            reader: ReaderKey,
            /// The identifier in the reader catalogue; `None` if the reader is not in it.
            #[serde(default)]
            model: Option<String>,
            #[serde(default)] vid: Option<u16>,
            #[serde(default)] pid: Option<u16>,
            /// As configured on the terminal.
            #[serde(default)]
            role: ReaderRole,
        }
        /// A reader was detached.
        ReaderDetached = "reader_detached" { reader: ReaderKey }
        /// A reader disconnects repeatedly: cable, hub or power.
        ReaderFlapping = "reader_flapping" { reader: ReaderKey, count: u32, window_s: u32 }
        /// The operating system sees the device, but PC/SC does not list it.
        ReaderBlocked = "reader_blocked" { vid: u16, pid: u16 }
        /// Something was on a reader for a while.
        TapObserved = "tap_observed" {
            reader: ReaderKey,
            #[serde(default)] present_ms: u32,
            /// Empty-to-present changes merged into this one tap.
            #[serde(default)]
            transitions: u32,
            /// The official software used it.
            #[serde(default)]
            in_use: bool,
            #[serde(default)] exclusive: bool,
            /// It answered nothing.
            #[serde(default)]
            mute: bool,
            #[serde(default)] medium: Medium,
            /// The version of the masks that gave `medium`.
            #[serde(default)]
            ruleset: u32,
        }
        /// A result file appeared in a linkage folder.
        LinkageResultObserved = "linkage_result_observed" {
            #[serde(default)] folder: LinkageFolder,
            kind: LinkageKind,
            /// The instant in the file's name.
            #[serde(default)]
            file_at: Option<DateTime<Utc>>,
            #[serde(default)] seen_for_ms: u32,
            #[serde(default)] outcome: ReadOutcome,
            #[serde(default)] error_code: Option<String>,
            /// Tells apart two files of one second; many names share each value.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            name_tag: Option<u16>,
        }
        /// Nothing was collected in [from, to).
        CollectionGap = "collection_gap" {
            source: GapSource,
            from: DateTime<Utc>,
            to: DateTime<Utc>,
            /// The number of lost observations, if it is known.
            #[serde(default)]
            lost: Option<u64>,
        }
        /// The outcome of settings that the server sent.
        SettingsTaken = "settings_taken" {
            settings_hash: u64,
            #[serde(default)] outcome: SettingsOutcome,
            /// What is collected from now on.
            collection: CollectionLevel,
        }
        /// An observation of a newer version, kept as it came: a version that knows its kind decodes it.
        UnknownKind = "unknown_kind" {
            /// The number of its kind in the contract.
            number: u32,
            content: KindContent,
        }
    }
    Anyone {
        /// A person saw a phone being read.
        SmartphoneReadAttested = "smartphone_read_attested" {
            #[serde(default)] os: PhoneOs,
            read_at: DateTime<Utc>,
            /// A technician's test.
            #[serde(default)]
            test: bool,
        }
        /// A person saw that a phone could not be read; `cause` is an identifier of the cause table.
        SmartphoneReadFailed = "smartphone_read_failed" { cause: String, read_at: DateTime<Utc> }
        /// What the desk did instead; `fallback` is an identifier of the fallback table.
        FallbackUsed = "fallback_used" { fallback: String, used_at: DateTime<Utc> }
        /// The poster or the sticker was put up.
        NoticeHung = "notice_hung" { notice: Notice, hung_at: DateTime<Utc> }
        /// A phone-native face reader was restarted.
        FaceReaderRestarted = "face_reader_restarted" { restarted_at: DateTime<Utc> }
        /// An earlier entry of the desk page is withdrawn.
        EntryWithdrawn = "entry_withdrawn" { life: Life, seq: Seq }
    }
    Person {
        /// The facility is watched from now on.
        FacilityRegistered = "facility_registered" {
            name: String,
            /// Two digits, `01` to `47`.
            prefecture: String,
            codes: Vec<String>,
            #[serde(default)] address: Option<String>,
            /// Since when the facility has been in this prefecture, if it moved there.
            #[serde(default)] moved_at: Option<DateTime<Utc>>,
            /// The facility has always been in this prefecture; the earlier registration was a mistake.
            #[serde(default)] correction: bool,
        }
        /// A code is added (`old` absent), dropped (`new` absent) or replaced.
        FacilityCodeChanged = "facility_code_changed" {
            #[serde(default)] old: Option<String>,
            #[serde(default)] new: Option<String>,
            effective_at: DateTime<Utc>,
        }
        /// A terminal received its identity.
        TerminalEnrolled = "terminal_enrolled" { terminal: TerminalId }
        /// A terminal is no longer used.
        TerminalRetired = "terminal_retired" { terminal: TerminalId }
        /// Nothing is accepted from a terminal until it is resumed.
        TerminalSuspended = "terminal_suspended" { terminal: TerminalId }
        /// A suspended terminal is accepted again.
        TerminalResumed = "terminal_resumed" { terminal: TerminalId }
        /// A terminal's certificate is not accepted any more: its key may be known to somebody else.
        TerminalRevoked = "terminal_revoked" { terminal: TerminalId }
        /// What a reader is for, from this statement on.
        ReaderRoleAssigned = "reader_role_assigned" { terminal: TerminalId, reader: ReaderKey, role: ReaderRole }
        /// Which face reader stands at the desk.
        FaceReaderModelSet = "face_reader_model_set" { model: String, #[serde(default)] phone_native: PhoneNative }
        /// The first step of the notice: the purchase.
        ReaderPurchased = "reader_purchased" { item: Purchase, #[serde(default)] route: PurchaseRoute }
        /// The third step of the notice: the desk is ready.
        ReceptionArranged = "reception_arranged" { arranged_at: DateTime<Utc> }
        /// Whether the group wants the facility to be listed.
        ListingIntentSet = "listing_intent_set" { intent: Intent }
        /// A person plans to telephone.
        OptOutCallPlanned = "opt_out_call_planned" { planned_at: DateTime<Utc> }
        /// A person has telephoned.
        OptOutCallMade = "opt_out_call_made" { called_at: DateTime<Utc>, #[serde(default)] reference: Option<String> }
        /// The call centre has confirmed.
        OptOutAcknowledged = "opt_out_acknowledged" { acknowledged_at: DateTime<Utc> }
        /// The facility wants to be listed after all.
        OptOutWithdrawn = "opt_out_withdrawn" { withdrawn_at: DateTime<Utc> }
        /// A person has acknowledged a flag.
        AlertAcknowledged = "alert_acknowledged" { flag: String }
        /// A flag is muted for a while.
        AlertSnoozed = "alert_snoozed" { flag: String, until: DateTime<Utc> }
        /// Silence in [from, to) is expected.
        MaintenanceWindowSet = "maintenance_window_set" { from: DateTime<Utc>, to: DateTime<Utc> }
        /// A record of the facility that could not be processed is skipped permanently. It is named by its position in
        /// the log.
        RecordSkipped = "record_skipped" { partition: i32, offset: i64 }
        /// An earlier statement about the facility was a mistake and does not count.
        StatementWithdrawn = "statement_withdrawn" { statement: StatementId }
        /// No terminal of the facility may collect more than this; [`CollectionLevel::Headers`] leaves it to their
        /// configurations.
        CollectionLimited = "collection_limited" { most: CollectionLevel }
        /// New rules apply from now on; recorded under [`FacilityId::FLEET`].
        RulesAdopted = "rules_adopted" { version: u32, document: String }
        /// The call centre or clinics are closed in [from, to). Recorded under [`FacilityId::FLEET`]; a closure of one
        /// clinic under that facility.
        ClosureSet = "closure_set" { from: DateTime<Utc>, to: DateTime<Utc>, #[serde(default)] closes: Closes }
        /// A file of the ministry's list was imported; recorded under [`FacilityId::FLEET`].
        SnapshotImported = "snapshot_imported" {
            snapshot: SnapshotId,
            source: String,
            as_of: DateTime<Utc>,
            coverage: String,
            rows: u32,
        }
        /// A doubtful snapshot is accepted; recorded under [`FacilityId::FLEET`].
        SnapshotReleased = "snapshot_released" { snapshot: SnapshotId }
        /// A row of a snapshot is not one of our facilities; recorded under [`FacilityId::FLEET`].
        ListRowDismissed = "list_row_dismissed" {
            snapshot: SnapshotId,
            /// The code in the row.
            code: String,
        }
    }
    Server {
        /// A terminal's stream began.
        TerminalConnected = "terminal_connected" {
            terminal: TerminalId,
            session: Session,
            agent_version: String,
            /// The terminal's clock minus the server's.
            #[serde(default)]
            clock_offset_ms: i64,
            #[serde(default)] way: Way,
        }
        /// A terminal's stream ended.
        TerminalDisconnected = "terminal_disconnected" {
            terminal: TerminalId,
            session: Session,
            #[serde(default)] reason: DisconnectReason,
        }
    }
    List {
        /// What a snapshot of the ministry's list says about the facility.
        ListingObserved = "listing_observed" {
            as_of: DateTime<Utc>,
            coverage: String,
            listed: bool,
            /// The code in the row.
            #[serde(default)]
            code: Option<String>,
        }
    }
}

impl UnknownKind {
    /// An event of a terminal has at most this many bytes, so that what a stranger can send is bounded.
    pub const LONGEST: usize = 1024;

    /// Whether the number is one of those for kinds that a terminal may send. Otherwise a terminal could store today
    /// what a later version would take for a statement of a person.
    #[must_use]
    pub const fn is_from_terminal(&self) -> bool {
        matches!(self.number, 1..50 | 200..)
    }
}
