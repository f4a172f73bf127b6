//! Encodes parsed values as messages. It is total: every value can be encoded.
//!
//! Instants are truncated to microseconds ([`crate::time::truncate`]); an optional empty text is encoded as absent.
//! Otherwise decoding returns what was encoded.

use chrono::{DateTime, Utc};
use prost::{Message, encoding};

use crate::event::{Event, LogBody, LogRecord, Observation, Origin, UnknownKind};
use crate::id::StatementId;
use crate::time::to_micros;
use crate::wire::{self, event::Kind, log_record::Body, statement::By};

/// One record of the log as the bytes that are stored permanently.
#[must_use]
pub fn log_record_bytes(record: &LogRecord) -> Vec<u8> {
    log_record(record).encode_to_vec()
}

/// One record of the log.
#[must_use]
pub fn log_record(record: &LogRecord) -> wire::LogRecord {
    let body = match &record.body {
        LogBody::Terminal { terminal, life, sent_at, observations } => Body::Terminal(wire::TerminalBatch {
            terminal: terminal.to_bytes(),
            life: life.to_bytes(),
            sent_at_us: to_micros(*sent_at),
            observations: observations.iter().map(observation).collect(),
        }),
        LogBody::Statement { origin, event } => Body::Statement(statement(origin, event)),
    };
    wire::LogRecord {
        facility: record.facility.to_bytes(),
        received_at_us: to_micros(record.received_at),
        body: Some(body),
    }
}

/// One observation of a terminal.
#[must_use]
pub fn observation(observation: &Observation) -> wire::Observation {
    wire::Observation {
        seq: observation.seq.0,
        occurred_at_us: to_micros(observation.occurred_at),
        observed_at_us: to_micros(observation.observed_at),
        event: event_bytes(&observation.event),
    }
}

/// What was observed. A kind that this version does not know has the bytes with which it came.
fn event_bytes(observed: &Event) -> Vec<u8> {
    if let Event::UnknownKind(UnknownKind { number, content }) = observed {
        let mut bytes = Vec::with_capacity(content.0.len() + 8);
        encoding::bytes::encode(*number, &content.0, &mut bytes);
        return bytes;
    }
    event(observed).encode_to_vec()
}

fn statement(origin: &Origin, said: &Event) -> wire::Statement {
    let (stated_at, by) = match origin {
        // A terminal sends observations, not statements. A statement of a terminal has no author and is rejected when
        // it is decoded.
        Origin::Terminal(observed) => (observed.occurred_at, None),
        Origin::Person(stated) => {
            let id = stated.id.map(StatementId::to_bytes);
            let person = wire::Person { name: stated.by.clone(), why: present(&stated.why), id };
            (stated.stated_at, Some(By::Person(person)))
        }
        Origin::Server { instance, stated_at } => (*stated_at, Some(By::Server(instance.to_bytes()))),
        Origin::List { snapshot, stated_at } => (*stated_at, Some(By::Snapshot(snapshot.to_bytes()))),
    };
    wire::Statement { stated_at_us: to_micros(stated_at), event: Some(event(said)), by }
}

/// What happened. A kind that this version does not know exists in observations only; here it is encoded as no kind,
/// which is rejected when it is decoded.
#[must_use]
pub fn event(event: &Event) -> wire::Event {
    wire::Event { kind: kind(event) }
}

fn present(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn micros(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(to_micros)
}

fn kind(event: &Event) -> Option<Kind> {
    Some(match event {
        Event::UnknownKind(_) => return None,
        Event::AgentStarted(e) => Kind::AgentStarted(wire::AgentStarted {
            boot: e.boot.to_bytes(),
            agent_version: e.agent_version.clone(),
            reason: e.reason.to_wire(),
            config_hash: e.config_hash,
            collection: e.collection.to_wire(),
        }),
        Event::AgentStopped(e) => Kind::AgentStopped(wire::AgentStopped { reason: e.reason.to_wire() }),
        Event::TerminalRebooted(e) => Kind::TerminalRebooted(wire::TerminalRebooted { kind: e.kind.to_wire() }),
        Event::ClockStepped(e) => Kind::ClockStepped(wire::ClockStepped { delta_ms: e.delta_ms }),
        Event::SoftwareVersionsObserved(e) => Kind::SoftwareVersionsObserved(wire::SoftwareVersionsObserved {
            com_app: present(&e.com_app),
            distro_app: present(&e.distro_app),
            auth: present(&e.auth),
            os_build: present(&e.os_build),
        }),
        Event::ComponentStateObserved(e) => Kind::ComponentStateObserved(wire::ComponentStateObserved {
            component: e.component.to_wire(),
            state: e.state.to_wire(),
        }),
        Event::ReaderAttached(e) => Kind::ReaderAttached(wire::ReaderAttached {
            reader: e.reader.0,
            model: e.model.clone().unwrap_or_default(),
            vid: e.vid.map(u32::from),
            pid: e.pid.map(u32::from),
            role: e.role.to_wire(),
        }),
        Event::ReaderDetached(e) => Kind::ReaderDetached(wire::ReaderDetached { reader: e.reader.0 }),
        Event::ReaderFlapping(e) => {
            Kind::ReaderFlapping(wire::ReaderFlapping { reader: e.reader.0, count: e.count, window_s: e.window_s })
        }
        Event::ReaderBlocked(e) => Kind::ReaderBlocked(wire::ReaderBlocked { vid: e.vid.into(), pid: e.pid.into() }),
        Event::TapObserved(e) => Kind::TapObserved(wire::TapObserved {
            reader: e.reader.0,
            present_ms: e.present_ms,
            transitions: e.transitions,
            in_use: e.in_use,
            exclusive: e.exclusive,
            mute: e.mute,
            medium: e.medium.to_wire(),
            ruleset: e.ruleset,
        }),
        Event::LinkageResultObserved(e) => Kind::LinkageResultObserved(wire::LinkageResultObserved {
            folder: e.folder.to_wire(),
            kind: e.kind.to_wire(),
            file_at_us: micros(e.file_at),
            seen_for_ms: e.seen_for_ms,
            outcome: e.outcome.to_wire(),
            error_code: present(&e.error_code),
            name_tag: e.name_tag.map(u32::from),
        }),
        Event::CollectionGap(e) => Kind::CollectionGap(wire::CollectionGap {
            source: e.source.to_wire(),
            from_us: to_micros(e.from),
            to_us: to_micros(e.to),
            lost: e.lost,
        }),
        Event::SettingsTaken(e) => Kind::SettingsTaken(wire::SettingsTaken {
            settings_hash: e.settings_hash,
            outcome: e.outcome.to_wire(),
            collection: e.collection.to_wire(),
        }),
        Event::SmartphoneReadAttested(e) => Kind::SmartphoneReadAttested(wire::SmartphoneReadAttested {
            os: e.os.to_wire(),
            read_at_us: to_micros(e.read_at),
            test: e.test,
        }),
        Event::SmartphoneReadFailed(e) => Kind::SmartphoneReadFailed(wire::SmartphoneReadFailed {
            cause: e.cause.clone(),
            read_at_us: to_micros(e.read_at),
        }),
        Event::FallbackUsed(e) => {
            Kind::FallbackUsed(wire::FallbackUsed { fallback: e.fallback.clone(), used_at_us: to_micros(e.used_at) })
        }
        Event::NoticeHung(e) => {
            Kind::NoticeHung(wire::NoticeHung { notice: e.notice.to_wire(), hung_at_us: to_micros(e.hung_at) })
        }
        Event::FaceReaderRestarted(e) => {
            Kind::FaceReaderRestarted(wire::FaceReaderRestarted { restarted_at_us: to_micros(e.restarted_at) })
        }
        Event::EntryWithdrawn(e) => {
            Kind::EntryWithdrawn(wire::EntryWithdrawn { life: e.life.to_bytes(), seq: e.seq.0 })
        }
        Event::FacilityRegistered(e) => Kind::FacilityRegistered(wire::FacilityRegistered {
            name: e.name.clone(),
            prefecture: e.prefecture.clone(),
            codes: e.codes.clone(),
            address: present(&e.address),
            moved_at_us: e.moved_at.map(to_micros),
            correction: e.correction,
        }),
        Event::FacilityCodeChanged(e) => Kind::FacilityCodeChanged(wire::FacilityCodeChanged {
            old: present(&e.old),
            new: present(&e.new),
            effective_at_us: to_micros(e.effective_at),
        }),
        Event::TerminalEnrolled(e) => {
            Kind::TerminalEnrolled(wire::TerminalEnrolled { terminal: e.terminal.to_bytes() })
        }
        Event::TerminalRetired(e) => Kind::TerminalRetired(wire::TerminalRetired { terminal: e.terminal.to_bytes() }),
        Event::TerminalSuspended(e) => {
            Kind::TerminalSuspended(wire::TerminalSuspended { terminal: e.terminal.to_bytes() })
        }
        Event::TerminalResumed(e) => Kind::TerminalResumed(wire::TerminalResumed { terminal: e.terminal.to_bytes() }),
        Event::TerminalRevoked(e) => Kind::TerminalRevoked(wire::TerminalRevoked { terminal: e.terminal.to_bytes() }),
        Event::ReaderRoleAssigned(e) => Kind::ReaderRoleAssigned(wire::ReaderRoleAssigned {
            terminal: e.terminal.to_bytes(),
            reader: e.reader.0,
            role: e.role.to_wire(),
        }),
        Event::FaceReaderModelSet(e) => Kind::FaceReaderModelSet(wire::FaceReaderModelSet {
            model: e.model.clone(),
            phone_native: e.phone_native.to_wire(),
        }),
        Event::ReaderPurchased(e) => {
            Kind::ReaderPurchased(wire::ReaderPurchased { item: e.item.to_wire(), route: e.route.to_wire() })
        }
        Event::ReceptionArranged(e) => {
            Kind::ReceptionArranged(wire::ReceptionArranged { arranged_at_us: to_micros(e.arranged_at) })
        }
        Event::ListingIntentSet(e) => Kind::ListingIntentSet(wire::ListingIntentSet { intent: e.intent.to_wire() }),
        Event::OptOutCallPlanned(e) => {
            Kind::OptOutCallPlanned(wire::OptOutCallPlanned { planned_at_us: to_micros(e.planned_at) })
        }
        Event::OptOutCallMade(e) => Kind::OptOutCallMade(wire::OptOutCallMade {
            called_at_us: to_micros(e.called_at),
            reference: present(&e.reference),
        }),
        Event::OptOutAcknowledged(e) => {
            Kind::OptOutAcknowledged(wire::OptOutAcknowledged { acknowledged_at_us: to_micros(e.acknowledged_at) })
        }
        Event::OptOutWithdrawn(e) => {
            Kind::OptOutWithdrawn(wire::OptOutWithdrawn { withdrawn_at_us: to_micros(e.withdrawn_at) })
        }
        Event::AlertAcknowledged(e) => Kind::AlertAcknowledged(wire::AlertAcknowledged { flag: e.flag.clone() }),
        Event::AlertSnoozed(e) => {
            Kind::AlertSnoozed(wire::AlertSnoozed { flag: e.flag.clone(), until_us: to_micros(e.until) })
        }
        Event::MaintenanceWindowSet(e) => Kind::MaintenanceWindowSet(wire::MaintenanceWindowSet {
            from_us: to_micros(e.from),
            to_us: to_micros(e.to),
        }),
        Event::RecordSkipped(e) => {
            Kind::RecordSkipped(wire::RecordSkipped { partition: e.partition, offset: e.offset })
        }
        Event::StatementWithdrawn(e) => {
            Kind::StatementWithdrawn(wire::StatementWithdrawn { statement: e.statement.to_bytes() })
        }
        Event::CollectionLimited(e) => Kind::CollectionLimited(wire::CollectionLimited { most: e.most.to_wire() }),
        Event::RulesAdopted(e) => {
            Kind::RulesAdopted(wire::RulesAdopted { version: e.version, document: e.document.clone() })
        }
        Event::ClosureSet(e) => {
            let closes = e.closes.to_wire();
            Kind::ClosureSet(wire::ClosureSet { from_us: to_micros(e.from), to_us: to_micros(e.to), closes })
        }
        Event::SnapshotImported(e) => Kind::SnapshotImported(wire::SnapshotImported {
            snapshot: e.snapshot.to_bytes(),
            source: e.source.clone(),
            as_of_us: to_micros(e.as_of),
            coverage: e.coverage.clone(),
            rows: e.rows,
        }),
        Event::SnapshotReleased(e) => {
            Kind::SnapshotReleased(wire::SnapshotReleased { snapshot: e.snapshot.to_bytes() })
        }
        Event::ListRowDismissed(e) => {
            Kind::ListRowDismissed(wire::ListRowDismissed { snapshot: e.snapshot.to_bytes(), code: e.code.clone() })
        }
        Event::TerminalConnected(e) => Kind::TerminalConnected(wire::TerminalConnected {
            terminal: e.terminal.to_bytes(),
            session: e.session.to_bytes(),
            agent_version: e.agent_version.clone(),
            clock_offset_ms: e.clock_offset_ms,
            way: e.way.to_wire(),
        }),
        Event::TerminalDisconnected(e) => Kind::TerminalDisconnected(wire::TerminalDisconnected {
            terminal: e.terminal.to_bytes(),
            session: e.session.to_bytes(),
            reason: e.reason.to_wire(),
        }),
        Event::ListingObserved(e) => Kind::ListingObserved(wire::ListingObserved {
            as_of_us: to_micros(e.as_of),
            coverage: e.coverage.clone(),
            listed: e.listed,
            code: present(&e.code),
        }),
    })
}
