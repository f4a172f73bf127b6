//! One strategy for each kind of event.

use proptest::prelude::{BoxedStrategy, Strategy, any, prop_oneof};
use proptest::{collection, option, sample};

use super::{LAST_SEQ, id, instant, line};
use yomitori_proto::event::{
    AgentStarted, AgentStopped, AlertAcknowledged, AlertSnoozed, ClockStepped, ClosureSet, CollectionGap,
    CollectionLimited, ComponentStateObserved, EntryWithdrawn, Event, FaceReaderModelSet, FaceReaderRestarted,
    FacilityCodeChanged, FacilityRegistered, FallbackUsed, KindContent, LinkageResultObserved, ListRowDismissed,
    ListingIntentSet, ListingObserved, MaintenanceWindowSet, NoticeHung, OptOutAcknowledged, OptOutCallMade,
    OptOutCallPlanned, OptOutWithdrawn, ReaderAttached, ReaderBlocked, ReaderDetached, ReaderFlapping, ReaderPurchased,
    ReaderRoleAssigned, ReceptionArranged, RecordSkipped, RulesAdopted, SettingsTaken, SmartphoneReadAttested,
    SmartphoneReadFailed, SnapshotImported, SnapshotReleased, SoftwareVersionsObserved, StatementWithdrawn,
    TapObserved, TerminalConnected, TerminalDisconnected, TerminalEnrolled, TerminalRebooted, TerminalResumed,
    TerminalRetired, TerminalRevoked, TerminalSuspended, UnknownKind,
};
use yomitori_proto::id::{Boot, Life, ReaderKey, Seq, Session, SnapshotId, StatementId, TerminalId};
use yomitori_proto::table;
use yomitori_proto::vocabulary::{
    Closes, CollectionLevel, Component, ComponentState, DisconnectReason, GapSource, Intent, LinkageFolder,
    LinkageKind, Medium, Notice, PhoneNative, PhoneOs, Purchase, PurchaseRoute, ReadOutcome, ReaderRole, RebootKind,
    SettingsOutcome, StartReason, StopReason, Way,
};

macro_rules! kinds {
    ($($kind:ident { $($field:ident: $strategy:expr),* $(,)? })*) => {
        vec![$(
            ($($strategy,)*).prop_map(|($($field,)*)| Event::from($kind { $($field),* })).boxed()
        ),*]
    };
}

pub(super) fn terminal() -> Vec<BoxedStrategy<Event>> {
    kinds! {
        AgentStarted {
            boot: id(Boot),
            agent_version: version(),
            reason: one_of(StartReason::ALL),
            config_hash: any::<u64>(),
            collection: one_of(CollectionLevel::ALL),
        }
        AgentStopped { reason: one_of(StopReason::ALL) }
        TerminalRebooted { kind: one_of(RebootKind::ALL) }
        ClockStepped { delta_ms: any::<i64>() }
        SoftwareVersionsObserved {
            com_app: option::of(version()),
            distro_app: option::of(version()),
            auth: option::of(version()),
            os_build: option::of(version()),
        }
        ComponentStateObserved { component: one_of(Component::ALL), state: one_of(ComponentState::ALL) }
        ReaderAttached {
            reader: reader(),
            model: option::of(word(table::READER_MODELS)),
            vid: any::<Option<u16>>(),
            pid: any::<Option<u16>>(),
            role: one_of(ReaderRole::ALL),
        }
        ReaderDetached { reader: reader() }
        ReaderFlapping { reader: reader(), count: any::<u32>(), window_s: any::<u32>() }
        ReaderBlocked { vid: any::<u16>(), pid: any::<u16>() }
        TapObserved {
            reader: reader(),
            present_ms: any::<u32>(),
            transitions: any::<u32>(),
            in_use: any::<bool>(),
            exclusive: any::<bool>(),
            mute: any::<bool>(),
            medium: one_of(Medium::ALL),
            ruleset: any::<u32>(),
        }
        LinkageResultObserved {
            folder: one_of(LinkageFolder::ALL),
            kind: one_of(LinkageKind::ALL),
            file_at: option::of(instant()),
            seen_for_ms: any::<u32>(),
            outcome: one_of(ReadOutcome::ALL),
            error_code: option::of("[A-Za-z]{0,4}[0-9]{1,5}"),
            name_tag: any::<Option<u16>>(),
        }
        CollectionGap { source: one_of(GapSource::ALL), from: instant(), to: instant(), lost: any::<Option<u64>>() }
        SettingsTaken {
            settings_hash: any::<u64>(),
            outcome: one_of(SettingsOutcome::ALL),
            collection: one_of(CollectionLevel::ALL),
        }
        UnknownKind { number: prop_oneof![40..50_u32, 200..1_u32 << 29], content: content() }
    }
}

pub(super) fn anyone() -> Vec<BoxedStrategy<Event>> {
    kinds! {
        SmartphoneReadAttested { os: one_of(PhoneOs::ALL), read_at: instant(), test: any::<bool>() }
        SmartphoneReadFailed { cause: word(table::CAUSES), read_at: instant() }
        FallbackUsed { fallback: word(table::FALLBACKS), used_at: instant() }
        NoticeHung { notice: one_of(Notice::ALL), hung_at: instant() }
        FaceReaderRestarted { restarted_at: instant() }
        EntryWithdrawn { life: id(Life), seq: (1..=LAST_SEQ).prop_map(Seq) }
    }
}

pub(super) fn stated() -> Vec<BoxedStrategy<Event>> {
    kinds! {
        FacilityRegistered {
            name: line(),
            prefecture: (1..=47_u8).prop_map(|number| format!("{number:02}")),
            codes: collection::vec(code(), 0..3),
            address: option::of(line()),
            moved_at: option::of(instant()),
            correction: any::<bool>(),
        }
        FacilityCodeChanged { old: option::of(code()), new: option::of(code()), effective_at: instant() }
        TerminalEnrolled { terminal: id(TerminalId) }
        TerminalRetired { terminal: id(TerminalId) }
        TerminalSuspended { terminal: id(TerminalId) }
        TerminalResumed { terminal: id(TerminalId) }
        TerminalRevoked { terminal: id(TerminalId) }
        ReaderRoleAssigned { terminal: id(TerminalId), reader: reader(), role: one_of(ReaderRole::ALL) }
        FaceReaderModelSet { model: word(table::READER_MODELS), phone_native: one_of(PhoneNative::ALL) }
        ReaderPurchased { item: one_of(Purchase::ALL), route: one_of(PurchaseRoute::ALL) }
        ReceptionArranged { arranged_at: instant() }
        ListingIntentSet { intent: one_of(Intent::ALL) }
        OptOutCallPlanned { planned_at: instant() }
        OptOutCallMade { called_at: instant(), reference: option::of(line()) }
        OptOutAcknowledged { acknowledged_at: instant() }
        OptOutWithdrawn { withdrawn_at: instant() }
        AlertAcknowledged { flag: flag() }
        AlertSnoozed { flag: flag(), until: instant() }
        MaintenanceWindowSet { from: instant(), to: instant() }
        RecordSkipped { partition: 0..=i32::MAX, offset: 0..=i64::MAX }
        StatementWithdrawn { statement: id(StatementId) }
        CollectionLimited { most: one_of(CollectionLevel::ALL) }
        RulesAdopted { version: any::<u32>(), document: "([^\\p{Cc}]|\n|\r|\t){0,80}" }
        ClosureSet { from: instant(), to: instant(), closes: one_of(Closes::ALL) }
        SnapshotImported {
            snapshot: id(SnapshotId),
            source: line(),
            as_of: instant(),
            coverage: line(),
            rows: any::<u32>(),
        }
        SnapshotReleased { snapshot: id(SnapshotId) }
        ListRowDismissed { snapshot: id(SnapshotId), code: code() }
        TerminalConnected {
            terminal: id(TerminalId),
            session: id(Session),
            agent_version: version(),
            clock_offset_ms: any::<i64>(),
            way: sample::select(Way::ALL),
        }
        TerminalDisconnected {
            terminal: id(TerminalId),
            session: id(Session),
            reason: one_of(DisconnectReason::ALL),
        }
        ListingObserved { as_of: instant(), coverage: line(), listed: any::<bool>(), code: option::of(code()) }
    }
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(words: &'static [T]) -> impl Strategy<Value = T> {
    sample::select(words)
}

fn reader() -> impl Strategy<Value = ReaderKey> {
    any::<u64>().prop_map(ReaderKey)
}

fn content() -> impl Strategy<Value = KindContent> {
    collection::vec(any::<u8>(), 0..60).prop_map(KindContent)
}

fn version() -> impl Strategy<Value = String> {
    "[0-9]{1,6}(\\.[0-9]{1,6}){1,3}"
}

fn word(table: &'static [&'static str]) -> impl Strategy<Value = String> {
    sample::select(table).prop_map(str::to_owned)
}

fn flag() -> impl Strategy<Value = String> {
    "[A-Za-z_]{1,64}"
}

fn code() -> impl Strategy<Value = String> {
    "[0-9]{10}"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    #[test]
    fn every_kind_has_a_strategy() {
        let mut runner = TestRunner::deterministic();
        let strategies = [terminal(), anyone(), stated()].concat();
        let made: BTreeSet<&str> =
            strategies.iter().map(|strategy| strategy.new_tree(&mut runner).unwrap().current().kind()).collect();
        assert_eq!(made, Event::KINDS.iter().copied().collect());
    }
}
