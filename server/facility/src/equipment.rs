//! Whether phones can be read here: face reader, phone reader, software, as far as is known.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::{ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{ComponentState, PhoneNative, Purchase, ReaderRole};

use crate::cause::FaceReaderModel;
use crate::facility::Facility;
use crate::freshness::Freshness;
use crate::instant::later;
use crate::reader::Reader;
use crate::terminal::{Presence, Terminal};
use crate::text::{Axis, Text, Word};
use crate::view::View;
use crate::word::words;

/// The face reader at the desk, as a person said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FaceReader {
    /// An identifier of the table of face readers.
    pub model: String,
    pub phone_native: PhoneNative,
    pub stated_at: DateTime<Utc>,
}

/// The equipment axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Equipment {
    /// No terminal has told.
    Unknown,
    /// No reader for phones.
    None {
        since: Option<DateTime<Utc>>,
    },
    Incomplete {
        missing: Missing,
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

/// What is missing for phones to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Bought, and not connected.
    Reader,
    /// Connected, and nobody has said that it is for phones.
    Role,
    /// The operating system sees it, the programs don't.
    Permission,
    /// Connected is a reader on which no phone can be read.
    FitReader,
}

/// What keeps phones from being read although it had been possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    ReaderAbsent,
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
    Missing {
        Reader = "reader", "リーダーの接続", "the reader is not connected";
        Role = "role", "リーダーの用途の設定", "the role of the reader is not set";
        Permission = "permission", "リーダーの使用許可", "the reader is not permitted";
        FitReader = "fit_reader", "非接触型のリーダー", "a contactless reader";
    }
    Trouble {
        ReaderAbsent = "reader_absent", "リーダーが外れている", "the reader is absent";
        ReaderBlocked = "reader_blocked", "リーダーが制限されている", "the reader is blocked";
        ReaderFlapping = "reader_flapping", "リーダーの接続が不安定", "the reader comes and goes";
        SoftwareDown = "software_down", "必要なソフトが停止", "a needed program is down";
    }
}

/// One reader.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
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
    /// Since when it is there, or is not; absent where it was never heard of.
    pub since: Option<DateTime<Utc>>,
}

impl Facility {
    /// Whether the face reader reads phones by itself: what a person said, else what the table says of the model.
    pub(crate) fn phone_native(&self) -> PhoneNative {
        match &self.face_reader {
            None => PhoneNative::Unknown,
            Some(FaceReader { phone_native: PhoneNative::Unknown, model, .. }) => {
                FaceReaderModel::of(model).map(|model| model.phone_native).unwrap_or_default()
            }
            Some(FaceReader { phone_native, .. }) => *phone_native,
        }
    }
}

/// What the readers of all terminals in use amount to.
#[derive(Default)]
struct Readers {
    phone_since: Option<DateTime<Utc>>,
    absent_since: Option<DateTime<Utc>>,
    flapped_at: Option<DateTime<Utc>>,
    role_missing: bool,
    unfit: bool,
}

impl View<'_> {
    pub(crate) fn readers(&self) -> Vec<ReaderStatus> {
        let mut readers = Vec::new();
        for (id, terminal) in &self.facility.terminals {
            if terminal.retired_at.is_some() {
                continue;
            }
            for (key, reader) in &terminal.readers {
                let (present, since) = match self.presence(terminal, reader) {
                    Presence::Never => (false, None),
                    Presence::Absent(since) => (false, Some(since)),
                    Presence::Present(since) => (true, Some(since)),
                };
                let role = self.role(reader);
                readers.push(ReaderStatus {
                    terminal: *id,
                    key: *key,
                    model: reader.model.clone(),
                    vid: reader.vid,
                    pid: reader.pid,
                    role,
                    role_label: role.label(),
                    present,
                    since,
                });
            }
        }
        readers
    }

    pub(crate) fn presence(&self, terminal: &Terminal, reader: &Reader) -> Presence {
        terminal.presence(reader, self.set.reader_grace, |at| self.passed(at))
    }

    /// What a reader is for now.
    pub(crate) fn role(&self, reader: &Reader) -> ReaderRole {
        reader.role(None, |from| self.passed(from))
    }

    fn readers_together(&self) -> Readers {
        let mut readers = Readers::default();
        for terminal in self.terminals() {
            for reader in terminal.readers.values() {
                let presence = self.presence(terminal, reader);
                let unfit = reader.model.as_ref().is_some_and(|model| self.set.unfit_reader_models.contains(model));
                match (self.role(reader), presence) {
                    (ReaderRole::Phone | ReaderRole::Unknown, Presence::Present(_)) if unfit => readers.unfit = true,
                    (ReaderRole::Phone, Presence::Present(since)) => {
                        readers.phone_since = Some(readers.phone_since.map_or(since, |known| known.min(since)));
                        readers.flapped_at = readers.flapped_at.max(reader.flapped_at);
                    }
                    (ReaderRole::Phone, Presence::Absent(since)) if !unfit => {
                        readers.absent_since = readers.absent_since.max(Some(since));
                    }
                    (ReaderRole::Unknown, Presence::Present(_)) => readers.role_missing = true,
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
        }
        readers
    }

    /// A needed program that is not running, and since when.
    fn software_down_since(&self) -> Option<DateTime<Utc>> {
        let components = self.terminals().flat_map(|terminal| terminal.components.values());
        let down = |state| matches!(state, ComponentState::Stopped | ComponentState::Missing);
        let states = components.filter_map(|history| history.current(down));
        states.filter(|(down, _)| *down).map(|(_, since)| since).min()
    }

    /// The operating system sees a reader that PC/SC doesn't, and no reader came since.
    pub(crate) fn blocked_since(&self) -> Option<DateTime<Utc>> {
        let blocked = self.terminals().filter_map(|terminal| {
            let (place, at) = terminal.blocked?;
            let came_since = terminal
                .readers
                .values()
                .any(|reader| reader.last() > place && matches!(reader.presence(), Some((true, _))));
            (!came_since).then_some(at)
        });
        blocked.min()
    }

    pub(crate) fn equipment(&self, freshness: &Freshness) -> Axis<Equipment> {
        let equipment = self.equipment_value(freshness);
        let why = self.equipment_why(&equipment);
        Axis::new(equipment, why)
    }

    fn equipment_value(&self, freshness: &Freshness) -> Equipment {
        let heard = self.terminals().any(|terminal| terminal.heard_at.is_some());
        if let (true, Freshness::Silent { since }) = (heard, freshness) {
            return Equipment::Offline { since: *since };
        }
        let down = self.software_down_since().map(|since| Equipment::Degraded { reason: Trouble::SoftwareDown, since });
        let readers = self.readers_together();
        if let Some(since) = readers.phone_since {
            let flapping = readers.flapped_at.filter(|at| !self.passed(later(*at, self.set.flapping_shown)));
            return match (down, flapping) {
                (Some(down), _) => down,
                (None, Some(since)) => Equipment::Degraded { reason: Trouble::ReaderFlapping, since },
                (None, None) => Equipment::Ready { since: Some(since) },
            };
        }
        if self.facility.phone_native() == PhoneNative::Yes {
            let since = self.facility.face_reader.as_ref().map(|face_reader| face_reader.stated_at);
            return down.unwrap_or(Equipment::Ready { since });
        }
        let bought = self.facility.purchases.contains_key(&Purchase::Reader);
        match (readers.absent_since, self.blocked_since()) {
            (Some(_), Some(since)) => Equipment::Degraded { reason: Trouble::ReaderBlocked, since },
            (Some(since), None) => Equipment::Degraded { reason: Trouble::ReaderAbsent, since },
            (None, _) if readers.role_missing => Equipment::Incomplete { missing: Missing::Role },
            (None, Some(_)) => Equipment::Incomplete { missing: Missing::Permission },
            (None, None) if readers.unfit => Equipment::Incomplete { missing: Missing::FitReader },
            (None, None) if bought => Equipment::Incomplete { missing: Missing::Reader },
            (None, None) if heard => Equipment::None { since: self.first_enrolled_at() },
            (None, None) => Equipment::Unknown,
        }
    }

    fn first_enrolled_at(&self) -> Option<DateTime<Utc>> {
        self.terminals().filter_map(|terminal| terminal.enrolled_at).min()
    }

    fn equipment_why(&self, equipment: &Equipment) -> Text {
        match equipment {
            Equipment::Unknown => {
                Text::fixed("まだどの端末からも記録が届いていません。", "No terminal has reported anything yet.")
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
                    format!("スマートフォン用リーダーが{at}から接続されています。"),
                    format!("A reader for phones has been connected since {at}."),
                )
            }
            Equipment::Degraded { reason, since } => {
                let (at, reason) = (self.minute(*since), reason.label());
                Text::new(format!("{at}から: {}。", reason.ja), format!("Since {at}: {}.", reason.en))
            }
            Equipment::Offline { since } => {
                let at = self.minute(*since);
                Text::new(
                    format!("{at}から端末の記録が届いていません。"),
                    format!("Nothing has been heard from the terminals since {at}."),
                )
            }
        }
    }
}
