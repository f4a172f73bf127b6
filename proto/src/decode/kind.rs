//! Decodes the kinds of events, one arm for each.

use super::field::{
    boot, cause, document, error_code, fallback, flag, instant, institution_code, life, line, model, named_model,
    optional, place, prefecture, session, sixteen_bits, snapshot, statement, terminal, version,
};
use super::{DecodeError, seq};
use crate::event::{
    AgentStarted, AgentStopped, AlertAcknowledged, AlertSnoozed, ClockStepped, ClosureSet, CollectionGap,
    CollectionLimited, ComponentStateObserved, EntryWithdrawn, Event, FaceReaderModelSet, FaceReaderRestarted,
    FacilityCodeChanged, FacilityRegistered, FallbackUsed, LinkageResultObserved, ListRowDismissed, ListingIntentSet,
    ListingObserved, MaintenanceWindowSet, NoticeHung, OptOutAcknowledged, OptOutCallMade, OptOutCallPlanned,
    OptOutWithdrawn, ReaderAttached, ReaderBlocked, ReaderDetached, ReaderFlapping, ReaderPurchased,
    ReaderRoleAssigned, ReceptionArranged, RecordSkipped, RulesAdopted, SettingsTaken, SmartphoneReadAttested,
    SmartphoneReadFailed, SnapshotImported, SnapshotReleased, SoftwareVersionsObserved, StatementWithdrawn,
    TapObserved, TerminalConnected, TerminalDisconnected, TerminalEnrolled, TerminalRebooted, TerminalResumed,
    TerminalRetired, TerminalRevoked, TerminalSuspended,
};
use crate::id::ReaderKey;
use crate::vocabulary::{
    Closes, CollectionLevel, Component, ComponentState, DisconnectReason, GapSource, Intent, LinkageFolder,
    LinkageKind, Medium, Notice, PhoneNative, PhoneOs, Purchase, PurchaseRoute, ReadOutcome, ReaderRole, RebootKind,
    SettingsOutcome, StartReason, StopReason, Way,
};
use crate::wire::event::Kind;

pub(super) fn event(kind: Kind) -> Result<Event, DecodeError> {
    Ok(match kind {
        Kind::AgentStarted(e) => Event::AgentStarted(AgentStarted {
            boot: boot("boot", &e.boot)?,
            agent_version: version("agent_version", e.agent_version)?,
            reason: StartReason::from_wire(e.reason),
            config_hash: e.config_hash,
            collection: CollectionLevel::from_wire(e.collection),
        }),
        Kind::AgentStopped(e) => Event::AgentStopped(AgentStopped { reason: StopReason::from_wire(e.reason) }),
        Kind::TerminalRebooted(e) => Event::TerminalRebooted(TerminalRebooted { kind: RebootKind::from_wire(e.kind) }),
        Kind::ClockStepped(e) => Event::ClockStepped(ClockStepped { delta_ms: e.delta_ms }),
        Kind::SoftwareVersionsObserved(e) => Event::SoftwareVersionsObserved(SoftwareVersionsObserved {
            com_app: optional(e.com_app, |text| version("com_app", text))?,
            distro_app: optional(e.distro_app, |text| version("distro_app", text))?,
            auth: optional(e.auth, |text| version("auth", text))?,
            os_build: optional(e.os_build, |text| version("os_build", text))?,
        }),
        Kind::ComponentStateObserved(e) => Event::ComponentStateObserved(ComponentStateObserved {
            component: Component::from_wire(e.component),
            state: ComponentState::from_wire(e.state),
        }),
        Kind::ReaderAttached(e) => Event::ReaderAttached(ReaderAttached {
            reader: ReaderKey(e.reader),
            model: model("model", e.model)?,
            vid: e.vid.map(|number| sixteen_bits("vid", number)).transpose()?,
            pid: e.pid.map(|number| sixteen_bits("pid", number)).transpose()?,
            role: ReaderRole::from_wire(e.role),
        }),
        Kind::ReaderDetached(e) => Event::ReaderDetached(ReaderDetached { reader: ReaderKey(e.reader) }),
        Kind::ReaderFlapping(e) => {
            Event::ReaderFlapping(ReaderFlapping { reader: ReaderKey(e.reader), count: e.count, window_s: e.window_s })
        }
        Kind::ReaderBlocked(e) => {
            Event::ReaderBlocked(ReaderBlocked { vid: sixteen_bits("vid", e.vid)?, pid: sixteen_bits("pid", e.pid)? })
        }
        Kind::TapObserved(e) => Event::TapObserved(TapObserved {
            reader: ReaderKey(e.reader),
            present_ms: e.present_ms,
            transitions: e.transitions,
            in_use: e.in_use,
            exclusive: e.exclusive,
            mute: e.mute,
            medium: Medium::from_wire(e.medium),
            ruleset: e.ruleset,
        }),
        Kind::LinkageResultObserved(e) => Event::LinkageResultObserved(LinkageResultObserved {
            folder: LinkageFolder::from_wire(e.folder),
            kind: LinkageKind::from_wire(e.kind),
            file_at: e.file_at_us.map(|micros| instant("file_at_us", micros)).transpose()?,
            seen_for_ms: e.seen_for_ms,
            outcome: ReadOutcome::from_wire(e.outcome),
            error_code: match e.error_code.filter(|text| !text.is_empty()) {
                Some(text) => error_code("error_code", text)?,
                None => None,
            },
            name_tag: e.name_tag.map(|number| sixteen_bits("name_tag", number)).transpose()?,
        }),
        Kind::CollectionGap(e) => Event::CollectionGap(CollectionGap {
            source: GapSource::from_wire(e.source),
            from: instant("from_us", e.from_us)?,
            to: instant("to_us", e.to_us)?,
            lost: e.lost,
        }),
        Kind::SettingsTaken(e) => Event::SettingsTaken(SettingsTaken {
            settings_hash: e.settings_hash,
            outcome: SettingsOutcome::from_wire(e.outcome),
            collection: CollectionLevel::from_wire(e.collection),
        }),
        Kind::SmartphoneReadAttested(e) => Event::SmartphoneReadAttested(SmartphoneReadAttested {
            os: PhoneOs::from_wire(e.os),
            read_at: instant("read_at_us", e.read_at_us)?,
            test: e.test,
        }),
        Kind::SmartphoneReadFailed(e) => Event::SmartphoneReadFailed(SmartphoneReadFailed {
            cause: cause("cause", e.cause)?,
            read_at: instant("read_at_us", e.read_at_us)?,
        }),
        Kind::FallbackUsed(e) => Event::FallbackUsed(FallbackUsed {
            fallback: fallback("fallback", e.fallback)?,
            used_at: instant("used_at_us", e.used_at_us)?,
        }),
        Kind::NoticeHung(e) => Event::NoticeHung(NoticeHung {
            notice: Notice::from_wire(e.notice),
            hung_at: instant("hung_at_us", e.hung_at_us)?,
        }),
        Kind::FaceReaderRestarted(e) => Event::FaceReaderRestarted(FaceReaderRestarted {
            restarted_at: instant("restarted_at_us", e.restarted_at_us)?,
        }),
        Kind::EntryWithdrawn(e) => {
            Event::EntryWithdrawn(EntryWithdrawn { life: life("life", &e.life)?, seq: seq("seq", e.seq)? })
        }
        Kind::FacilityRegistered(e) => Event::FacilityRegistered(FacilityRegistered {
            name: line("name", e.name)?,
            prefecture: prefecture("prefecture", e.prefecture)?,
            codes: e.codes.into_iter().map(|code| institution_code("codes", code)).collect::<Result<_, _>>()?,
            address: optional(e.address, |text| line("address", text))?,
            moved_at: e.moved_at_us.map(|us| instant("moved_at_us", us)).transpose()?,
            correction: e.correction,
        }),
        Kind::FacilityCodeChanged(e) => Event::FacilityCodeChanged(FacilityCodeChanged {
            old: optional(e.old, |text| institution_code("old", text))?,
            new: optional(e.new, |text| institution_code("new", text))?,
            effective_at: instant("effective_at_us", e.effective_at_us)?,
        }),
        Kind::TerminalEnrolled(e) => {
            Event::TerminalEnrolled(TerminalEnrolled { terminal: terminal("terminal", &e.terminal)? })
        }
        Kind::TerminalRetired(e) => {
            Event::TerminalRetired(TerminalRetired { terminal: terminal("terminal", &e.terminal)? })
        }
        Kind::TerminalSuspended(e) => {
            Event::TerminalSuspended(TerminalSuspended { terminal: terminal("terminal", &e.terminal)? })
        }
        Kind::TerminalResumed(e) => {
            Event::TerminalResumed(TerminalResumed { terminal: terminal("terminal", &e.terminal)? })
        }
        Kind::TerminalRevoked(e) => {
            Event::TerminalRevoked(TerminalRevoked { terminal: terminal("terminal", &e.terminal)? })
        }
        Kind::ReaderRoleAssigned(e) => Event::ReaderRoleAssigned(ReaderRoleAssigned {
            terminal: terminal("terminal", &e.terminal)?,
            reader: ReaderKey(e.reader),
            role: ReaderRole::from_wire(e.role),
        }),
        Kind::FaceReaderModelSet(e) => Event::FaceReaderModelSet(FaceReaderModelSet {
            model: named_model("model", e.model)?,
            phone_native: PhoneNative::from_wire(e.phone_native),
        }),
        Kind::ReaderPurchased(e) => Event::ReaderPurchased(ReaderPurchased {
            item: Purchase::from_wire(e.item),
            route: PurchaseRoute::from_wire(e.route),
        }),
        Kind::ReceptionArranged(e) => {
            Event::ReceptionArranged(ReceptionArranged { arranged_at: instant("arranged_at_us", e.arranged_at_us)? })
        }
        Kind::ListingIntentSet(e) => Event::ListingIntentSet(ListingIntentSet { intent: Intent::from_wire(e.intent) }),
        Kind::OptOutCallPlanned(e) => {
            Event::OptOutCallPlanned(OptOutCallPlanned { planned_at: instant("planned_at_us", e.planned_at_us)? })
        }
        Kind::OptOutCallMade(e) => Event::OptOutCallMade(OptOutCallMade {
            called_at: instant("called_at_us", e.called_at_us)?,
            reference: optional(e.reference, |text| line("reference", text))?,
        }),
        Kind::OptOutAcknowledged(e) => Event::OptOutAcknowledged(OptOutAcknowledged {
            acknowledged_at: instant("acknowledged_at_us", e.acknowledged_at_us)?,
        }),
        Kind::OptOutWithdrawn(e) => {
            Event::OptOutWithdrawn(OptOutWithdrawn { withdrawn_at: instant("withdrawn_at_us", e.withdrawn_at_us)? })
        }
        Kind::AlertAcknowledged(e) => Event::AlertAcknowledged(AlertAcknowledged { flag: flag("flag", e.flag)? }),
        Kind::AlertSnoozed(e) => {
            Event::AlertSnoozed(AlertSnoozed { flag: flag("flag", e.flag)?, until: instant("until_us", e.until_us)? })
        }
        Kind::MaintenanceWindowSet(e) => Event::MaintenanceWindowSet(MaintenanceWindowSet {
            from: instant("from_us", e.from_us)?,
            to: instant("to_us", e.to_us)?,
        }),
        Kind::RecordSkipped(e) => Event::RecordSkipped(RecordSkipped {
            partition: place("partition", e.partition)?,
            offset: place("offset", e.offset)?,
        }),
        Kind::StatementWithdrawn(e) => {
            Event::StatementWithdrawn(StatementWithdrawn { statement: statement("statement", &e.statement)? })
        }
        Kind::CollectionLimited(e) => {
            Event::CollectionLimited(CollectionLimited { most: CollectionLevel::from_wire(e.most) })
        }
        Kind::TerminalConnected(e) => Event::TerminalConnected(TerminalConnected {
            terminal: terminal("terminal", &e.terminal)?,
            session: session("session", &e.session)?,
            agent_version: version("agent_version", e.agent_version)?,
            clock_offset_ms: e.clock_offset_ms,
            way: Way::from_wire(e.way),
        }),
        Kind::TerminalDisconnected(e) => Event::TerminalDisconnected(TerminalDisconnected {
            terminal: terminal("terminal", &e.terminal)?,
            session: session("session", &e.session)?,
            reason: DisconnectReason::from_wire(e.reason),
        }),
        Kind::ListingObserved(e) => Event::ListingObserved(ListingObserved {
            as_of: instant("as_of_us", e.as_of_us)?,
            coverage: line("coverage", e.coverage)?,
            listed: e.listed,
            code: optional(e.code, |text| institution_code("code", text))?,
        }),
        Kind::RulesAdopted(e) => {
            Event::RulesAdopted(RulesAdopted { version: e.version, document: document("document", e.document)? })
        }
        Kind::ClosureSet(e) => Event::ClosureSet(ClosureSet {
            from: instant("from_us", e.from_us)?,
            to: instant("to_us", e.to_us)?,
            closes: Closes::from_wire(e.closes),
        }),
        Kind::SnapshotImported(e) => Event::SnapshotImported(SnapshotImported {
            snapshot: snapshot("snapshot", &e.snapshot)?,
            source: line("source", e.source)?,
            as_of: instant("as_of_us", e.as_of_us)?,
            coverage: line("coverage", e.coverage)?,
            rows: e.rows,
        }),
        Kind::SnapshotReleased(e) => {
            Event::SnapshotReleased(SnapshotReleased { snapshot: snapshot("snapshot", &e.snapshot)? })
        }
        Kind::ListRowDismissed(e) => Event::ListRowDismissed(ListRowDismissed {
            snapshot: snapshot("snapshot", &e.snapshot)?,
            code: institution_code("code", e.code)?,
        }),
    })
}
