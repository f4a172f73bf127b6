//! The equipment axis: whether phones can be read here, judged by face reader, phone reader and software.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::{ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{ComponentState, PhoneNative, Purchase, ReaderRole};

use crate::cause::FaceReaderModel;
use crate::facility::Facility;
use crate::freshness::Freshness;
use crate::history::{History, State};
use crate::instant::later;
use crate::reader::Reader;
use crate::terminal::{Presence, Terminal, for_others};
use crate::text::{Axis, Text, Word};
use crate::view::View;
use crate::word::words;

/// The face reader at the desk, as stated by a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct FaceReader {
    /// An identifier from the table of face readers.
    pub model: String,
    pub phone_native: PhoneNative,
    pub stated_at: DateTime<Utc>,
}

/// The history of a component tracks whether it is down.
impl State for ComponentState {
    fn holds(self) -> bool {
        matches!(self, Self::Stopped | Self::Missing)
    }
}

/// The equipment axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Equipment {
    /// No terminal has reported.
    Unknown,
    /// No terminal has a reader for phones.
    None {
        since: Option<DateTime<Utc>>,
    },
    Incomplete {
        missing: MissingPart,
    },
    Ready {
        since: Option<DateTime<Utc>>,
    },
    Degraded {
        reason: Trouble,
        since: DateTime<Utc>,
    },
    /// The terminals are silent.
    Offline {
        since: DateTime<Utc>,
    },
}

/// The part that is missing before phones can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingPart {
    /// Purchased, but not connected.
    Reader,
    /// Connected, but not yet assigned to phones.
    Role,
    /// Visible to the operating system, but not to programs.
    Permission,
    /// The connected reader can't read phones.
    FitReader,
}

/// The problem that stops phones from being read, although they could be read before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    ReaderAbsent,
    /// One of two readers of the same model is gone, and which one is uncertain.
    ReaderUnclear,
    ReaderBlocked,
    ReaderFlapping,
    SoftwareDown,
}

words! {
    Equipment {
        Unknown = "unknown", "不明", "unknown";
        None = "none", "スマホ用リーダーなし", "no reader for phones";
        Incomplete = "incomplete", "準備中", "incomplete";
        Ready = "ready", "準備完了", "ready";
        Degraded = "degraded", "不具合あり", "degraded";
        Offline = "offline", "端末が応答なし", "offline";
    }
    MissingPart {
        Reader = "reader", "リーダーの接続", "the reader is not connected";
        Role = "role", "リーダーの用途の設定", "the role of the reader is not set";
        Permission = "permission", "リーダーの使用許可", "the reader is not permitted";
        FitReader = "fit_reader", "非接触型のリーダー", "a contactless reader";
    }
    Trouble {
        ReaderAbsent = "reader_absent", "リーダーが外れている", "the reader is absent";
        ReaderUnclear = "reader_unclear", "同じ機種のリーダーのどちらが外れたか不明（用途の確認が必要）", "one of two alike readers is gone, and which one is uncertain: its role has to be confirmed";
        ReaderBlocked = "reader_blocked", "リーダーが制限されている", "the reader is blocked";
        ReaderFlapping = "reader_flapping", "リーダーの接続が不安定", "the reader comes and goes";
        SoftwareDown = "software_down", "必要なソフトが停止", "a needed program is down";
    }
}

/// One reader.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReaderStatus {
    pub terminal: TerminalId,
    pub key: ReaderKey,
    /// The identifier in the reader catalogue.
    pub model: Option<String>,
    pub vid: Option<u16>,
    pub pid: Option<u16>,
    pub role: ReaderRole,
    pub role_label: Text,
    pub present: bool,
    /// Time since which the reader is present or absent; `None` if it was never observed.
    pub since: Option<DateTime<Utc>>,
    /// The terminal is retired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

impl Facility {
    /// The face reader at the desk.
    pub(crate) fn face_reader(&self) -> Option<&FaceReader> {
        self.face_readers.last().map(|(_, face_reader)| face_reader)
    }

    /// Whether the face reader reads phones by itself: as stated by a person, otherwise by the table of models.
    pub(crate) fn phone_native(&self) -> PhoneNative {
        match self.face_reader() {
            None => PhoneNative::Unknown,
            Some(FaceReader { phone_native: PhoneNative::Unknown, model, .. }) => {
                FaceReaderModel::of(model).map(|model| model.phone_native).unwrap_or_default()
            }
            Some(FaceReader { phone_native, .. }) => *phone_native,
        }
    }
}

/// Equipment state of one terminal. Instants are start times.
#[derive(Clone, Copy, Default)]
pub(crate) struct Station {
    phone_since: Option<DateTime<Utc>>,
    /// A reader for phones is gone and has not been replaced.
    pub(crate) absent_since: Option<DateTime<Utc>>,
    /// That reader may be the one that is present under another role.
    pub(crate) absent_unclear: bool,
    pub(crate) flapping_since: Option<DateTime<Utc>>,
    /// A required program is not running.
    pub(crate) down_since: Option<DateTime<Utc>>,
    /// The operating system sees a reader that PC/SC doesn't see, and no reader has appeared since then.
    pub(crate) blocked_since: Option<DateTime<Utc>>,
    pub(crate) role_missing: bool,
    pub(crate) unfit: bool,
    silent_since: Option<DateTime<Utc>>,
}

impl Station {
    /// Time since which phones can't be read there.
    fn failed_at(&self) -> Option<DateTime<Utc>> {
        [self.down_since, self.flapping_since, self.absent_since, self.silent_since].into_iter().flatten().min()
    }

    /// Whether a reader for phones is present.
    pub(crate) const fn serves_phones(&self) -> bool {
        self.phone_since.is_some()
    }
}

impl View<'_> {
    pub(crate) fn readers(&self) -> Vec<ReaderStatus> {
        let mut readers = Vec::new();
        for (id, terminal) in &self.facility.terminals {
            for (key, reader) in &terminal.readers {
                let (present, since) = match self.presence(terminal, reader) {
                    Presence::Never => (false, None),
                    Presence::Absent(since) => (false, Some(since)),
                    Presence::Present(since) => (true, Some(since)),
                };
                let role = self.role(reader);
                let retired = terminal.retired_at().is_some();
                readers.push(ReaderStatus {
                    terminal: *id,
                    key: *key,
                    model: reader.model.clone(),
                    vid: reader.vid,
                    pid: reader.pid,
                    role,
                    role_label: role.label(),
                    present: present && !retired,
                    since,
                    retired,
                });
            }
        }
        readers
    }

    pub(crate) fn presence(&self, terminal: &Terminal, reader: &Reader) -> Presence {
        terminal.presence(reader, self.set, |at| self.passed(at))
    }

    /// The reader's current role.
    pub(crate) fn role(&self, reader: &Reader) -> ReaderRole {
        reader.role(|from| self.passed(from))
    }

    /// Whether a reader for phones may be another one of the same model, so that its role has to be confirmed.
    pub(crate) fn roles_are_unclear(&self, terminal: &Terminal) -> bool {
        terminal.readers.iter().filter(|(_, reader)| self.role(reader) == ReaderRole::Phone).any(|(key, reader)| {
            let confirmed_at = reader.assigned(|from| self.passed(from)).map(|(from, _)| from);
            terminal.may_be_another(*key, None, confirmed_at, |from| self.passed(from), self.set)
        })
    }

    /// The equipment state of a terminal.
    pub(crate) fn station(&self, terminal: &Terminal) -> Station {
        let mut station = Station::default();
        let (mut came, mut gone, mut gone_like) = (None, None, Vec::new());
        for reader in terminal.readers.values() {
            let presence = self.presence(terminal, reader);
            let unfit = reader.model.as_ref().is_some_and(|model| self.set.unfit_reader_models.contains(model));
            match (self.role(reader), presence) {
                (ReaderRole::Phone | ReaderRole::Unknown, Presence::Present(_)) if unfit => station.unfit = true,
                (ReaderRole::Phone, Presence::Present(since)) => {
                    let useful = reader.phone_since(|from| self.passed(from)).max(terminal.used_again_since());
                    let since = useful.map_or(since, |useful| useful.max(since));
                    station.phone_since = Some(station.phone_since.map_or(since, |known| known.min(since)));
                    came = came.max(Some(since));
                    let flapped_at = reader.flapped.map(|stamp| stamp.true_at(self.set));
                    let flapping = flapped_at.filter(|at| !self.passed(later(*at, self.set.flapping_shown)));
                    station.flapping_since = station.flapping_since.max(flapping);
                }
                (ReaderRole::Phone, Presence::Absent(since)) if !unfit => {
                    gone = gone.max(Some(since));
                    gone_like.push(reader);
                }
                (ReaderRole::Unknown, Presence::Present(_)) => station.role_missing = true,
                (
                    ReaderRole::Phone
                    | ReaderRole::Unknown
                    | ReaderRole::FaceAuth
                    | ReaderRole::StaffLogin
                    | ReaderRole::Other,
                    Presence::Never | Presence::Absent(_) | Presence::Present(_),
                ) => {}
            }
        }
        // A reader that appeared after another was removed is the replacement.
        station.absent_since = gone.filter(|gone| came.is_none_or(|came| came < *gone));
        station.absent_unclear = terminal.readers.values().any(|other| {
            let present = matches!(self.presence(terminal, other), Presence::Present(_));
            present && for_others(self.role(other)) && gone_like.iter().any(|gone| gone.is_like(other))
        });
        let states = terminal.components.values().filter_map(History::current);
        station.down_since = states.filter(|(down, _)| *down).map(|(_, since)| since.true_at(self.set)).min();
        station.blocked_since = terminal.blocked.and_then(|blocked| {
            let came_since =
                |reader: &Reader| reader.last() > blocked.place && matches!(reader.presence(), Some((true, _)));
            (!terminal.readers.values().any(came_since)).then(|| blocked.true_at(self.set))
        });
        if let Freshness::Silent { since } = self.terminal_freshness(terminal) {
            station.silent_since = Some(since);
        }
        station
    }

    pub(crate) fn equipment(&self) -> Axis<Equipment> {
        let stations: Vec<Station> = self.terminals().map(|terminal| self.station(terminal)).collect();
        let equipment = self.equipment_value(&stations);
        let why = self.equipment_why(&equipment);
        Axis::new(equipment, why)
    }

    /// The best state of the terminals that still report: one working terminal is enough to read phones.
    fn equipment_value(&self, stations: &[Station]) -> Equipment {
        let native = self.facility.phone_native() == PhoneNative::Yes;
        if stations.is_empty() {
            return self.without_terminals(native);
        }
        let heard = self.terminals().any(|terminal| terminal.heard_at.is_some());
        let (live, silent): (Vec<_>, Vec<_>) = stations.iter().partition(|station| station.silent_since.is_none());
        let stated = self.facility.face_reader().map(|face_reader| face_reader.stated_at);
        let serves = |station: &&Station| {
            station.down_since.is_none()
                && station.flapping_since.is_none()
                && (native || station.phone_since.is_some())
        };
        if live.iter().copied().any(|station| serves(&station)) {
            let since = live.iter().filter_map(|station| station.phone_since).min();
            return Equipment::Ready { since: if since.is_some() { since } else { stated } };
        }
        let phones = |station: &&&Station| native || station.phone_since.is_some() || station.absent_since.is_some();
        let any =
            |of: fn(&Station) -> Option<DateTime<Utc>>| live.iter().filter(phones).any(|station| of(station).is_some());
        // Phones could be read until the last terminal failed.
        let last_failed_at = stations.iter().filter(|station| phones(&station)).filter_map(Station::failed_at).max();
        let degraded = |reason, since| Equipment::Degraded { reason, since };
        if let Some(since) = last_failed_at {
            if any(|station| station.down_since.filter(|_| station.absent_since.is_none())) {
                return degraded(Trouble::SoftwareDown, since);
            }
            if any(|station| station.flapping_since) {
                return degraded(Trouble::ReaderFlapping, since);
            }
        }
        let gone = live.iter().filter_map(|station| station.absent_since).max();
        let blocked = live.iter().filter_map(|station| station.blocked_since).min();
        match (gone, blocked) {
            (Some(_), Some(since)) => return degraded(Trouble::ReaderBlocked, since),
            (Some(since), None) => {
                let unclear = live.iter().any(|station| station.absent_since.is_some() && station.absent_unclear);
                let trouble = if unclear { Trouble::ReaderUnclear } else { Trouble::ReaderAbsent };
                return degraded(trouble, since);
            }
            (None, _) => {}
        }
        let away = silent.iter().filter(phones).filter_map(|station| station.silent_since).max();
        let all_away = silent.iter().filter_map(|station| station.silent_since).max().filter(|_| live.is_empty());
        if let Some(since) = away.or(all_away) {
            return Equipment::Offline { since };
        }
        let bought = self.facility.purchases.contains_key(&Purchase::Reader);
        if live.iter().any(|station| station.role_missing) {
            Equipment::Incomplete { missing: MissingPart::Role }
        } else if blocked.is_some() {
            Equipment::Incomplete { missing: MissingPart::Permission }
        } else if live.iter().any(|station| station.unfit) {
            Equipment::Incomplete { missing: MissingPart::FitReader }
        } else if bought {
            Equipment::Incomplete { missing: MissingPart::Reader }
        } else if heard {
            Equipment::None { since: self.first_enrolled_at() }
        } else {
            Equipment::Unknown
        }
    }

    /// The state when no terminal is in use.
    fn without_terminals(&self, native: bool) -> Equipment {
        let retired = self.facility.terminals.values().filter_map(|terminal| terminal.retired_at()).max();
        let bought = self.facility.purchases.contains_key(&Purchase::Reader);
        match (retired, self.facility.face_reader()) {
            (Some(since), _) => Equipment::None { since: Some(since) },
            (None, Some(face_reader)) if native => Equipment::Ready { since: Some(face_reader.stated_at) },
            (None, _) if bought => Equipment::Incomplete { missing: MissingPart::Reader },
            (None, _) => Equipment::Unknown,
        }
    }

    fn first_enrolled_at(&self) -> Option<DateTime<Utc>> {
        self.terminals().filter_map(Terminal::enrolled_at).min()
    }

    fn equipment_why(&self, equipment: &Equipment) -> Text {
        match equipment {
            Equipment::Unknown => {
                Text::fixed("まだどの端末からも記録が届いていません。", "No terminal has reported anything yet.")
            }
            Equipment::None { .. } if self.terminals().next().is_none() => {
                Text::fixed("すべての端末の使用が終了しています。", "Every terminal is retired.")
            }
            Equipment::None { .. } => Text::fixed(
                "スマートフォン用のリーダーが端末に接続されていません。",
                "No reader for phones is connected to a terminal.",
            ),
            Equipment::Incomplete { missing } => {
                let missing = missing.label();
                Text::new(format!("足りないもの: {}。", missing.ja), format!("What is missing: {}.", missing.en))
            }
            Equipment::Ready { .. } if self.facility.phone_native() == PhoneNative::Yes => Text::fixed(
                "顔認証付きカードリーダーが単体でスマートフォンに対応しています。再起動すれば使える状態です。",
                "The face reader reads phones by itself; a restart is enough for it to begin.",
            ),
            Equipment::Ready { since } => {
                let at = since.map(|since| self.minute(since)).unwrap_or_default();
                Text::new(
                    format!("スマートフォン用リーダーが{at}から使える状態です。"),
                    format!("A reader for phones has been ready since {at}."),
                )
            }
            Equipment::Degraded { reason, since } => {
                let (at, reason) = (self.minute(*since), reason.label());
                Text::new(format!("{at}から: {}。", reason.ja), format!("Since {at}: {}.", reason.en))
            }
            Equipment::Offline { since } => {
                let at = self.minute(*since);
                Text::new(
                    format!("{at}から、リーダーのある端末の記録が届いていません。"),
                    format!("Nothing has been heard from the terminal with the reader since {at}."),
                )
            }
        }
    }
}
