//! The terminal itself: readers, versions, and its start.

use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use uuid::Uuid;
use yomitori_observation::reader::{self, Name};
use yomitori_proto::event::{
    AgentStarted, ClockStepped, ComponentStateObserved, ReaderAttached, SoftwareVersionsObserved, TerminalRebooted,
};
use yomitori_proto::id::{Boot, ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{CollectionLevel, Component, ComponentState, ReaderRole, RebootKind, StartReason};

use super::day::Plan;
use super::{Act, Clinic};
use crate::fleet::character::Character;

/// A reader as reported by the agent.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Reader {
    pub(super) key: ReaderKey,
    attached: ReaderAttached,
}

const CONTACTLESS: &[&str] = &[
    "SONY FeliCa Port/PaSoRi 4.0 0",
    "SONY FeliCa Port/PaSoRi 4.0 0",
    "CIR315 CL 0",
    "ACS ACR1252 1S CL Reader PICC 0",
    "HID Global OMNIKEY 5022 Smart Card Reader 0",
];

impl Reader {
    pub(super) fn for_phones(character: Character, terminal: TerminalId, rng: &mut StdRng) -> Option<Self> {
        let name = CONTACTLESS.choose(rng)?;
        let role = if character == Character::RoleUnknown { ReaderRole::Unknown } else { ReaderRole::Phone };
        character.has_phone_reader().then(|| Self::named(name, terminal, role))
    }

    /// One clinic in four has a reader for staff logins.
    pub(super) fn for_staff(terminal: TerminalId, rng: &mut StdRng) -> Option<Self> {
        rng.random_bool(0.25).then(|| Self::named("ACS ACR122 1", terminal, ReaderRole::StaffLogin))
    }

    fn named(name: &str, terminal: TerminalId, role: ReaderRole) -> Self {
        let name = Name::parse(name);
        let (key, model) = (name.key(terminal), reader::model(&name));
        let attached = ReaderAttached {
            reader: key,
            model: model.map(|model| model.id.clone()),
            vid: model.and_then(reader::Model::vid),
            pid: model.and_then(reader::Model::pid),
            role,
        };
        Self { key, attached }
    }

    pub(super) fn attached(&self) -> ReaderAttached {
        self.attached.clone()
    }
}

const RUNNING: [Component; 4] =
    [Component::ComApp, Component::DistroApp, Component::CardSoftware, Component::FaceReaderSoftware];

impl Clinic {
    /// The operating system and the agent start, and then the line.
    pub(super) fn start(&mut self, plan: &mut Plan, at: Duration, reboot: Option<RebootKind>) {
        const CLOCK_SET_AFTER: Duration = Duration::from_secs(2);
        let ms = Duration::from_millis;
        self.boots += 1;
        self.on = true;
        if self.character == Character::ClockBehind && self.pace.trouble {
            self.behind = at..at + CLOCK_SET_AFTER;
            let corrected = ClockStepped { delta_ms: 3_600_000 };
            self.see(plan, at + CLOCK_SET_AFTER, corrected);
        }
        let collection = match self.character {
            Character::OnlyTaps => CollectionLevel::Readers,
            _ => CollectionLevel::Names,
        };
        let started = AgentStarted {
            boot: Boot(Uuid::new_v5(&self.who.life.0, &self.boots.to_be_bytes())),
            agent_version: yomitori_agent::VERSION.to_owned(),
            reason: StartReason::Boot,
            config_hash: 1,
            collection,
        };
        self.see(plan, at, started);
        if let Some(kind) = reboot {
            self.see(plan, at + ms(20), TerminalRebooted { kind });
        }
        self.see(plan, at + ms(100), self.versions());
        for component in RUNNING {
            self.see(plan, at + ms(150), ComponentStateObserved { component, state: ComponentState::Running });
        }
        let phone_reader = self.reader.as_ref().filter(|_| self.plugged);
        let readers: Vec<_> = phone_reader.into_iter().chain(&self.staff_reader).map(Reader::attached).collect();
        for reader in readers {
            self.see(plan, at + ms(400), reader);
        }
        // If everything is in the past, the line comes at the end.
        if self.pace.past_days.is_none() {
            plan.push(at + ms(500), Act::Line(true));
        }
    }

    /// One in six has outdated software.
    fn versions(&self) -> SoftwareVersionsObserved {
        let com_app = if self.who.index % 6 == 5 { "5.1.0" } else { "5.3.2" };
        SoftwareVersionsObserved {
            com_app: Some(com_app.to_owned()),
            distro_app: Some("2.4.0".to_owned()),
            auth: Some("3.0.1".to_owned()),
            os_build: Some("10.0.19044".to_owned()),
        }
    }
}
