//! The parsed messages of both halves.

use chrono::{DateTime, Utc};

use crate::decode::{self, DecodeError};
use crate::id::{FacilityId, Life, Seq, Session, TerminalId};
use crate::time::to_micros;
use crate::vocabulary::{CollectionLevel, Way};
use crate::wire::{self, down, up};

/// The first message of a terminal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    pub terminal: TerminalId,
    pub facility: FacilityId,
    pub life: Life,
    /// No lower number will be sent again.
    pub first_unacknowledged: Seq,
    pub agent_version: String,
    /// By the terminal's clock.
    pub sent_at: DateTime<Utc>,
    /// `Unknown` if an older agent does not send it.
    pub way: Way,
    /// Whether the terminal accepts [`Settings`]; an older agent would end the stream.
    pub takes_settings: bool,
    /// The terminals under whose identifiers the next observations may be in the log already.
    pub former: Vec<TerminalId>,
}

impl Hello {
    /// At most this many former identifiers.
    pub const FORMER: usize = 8;
}

/// The server's answer to [`Hello`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Welcome {
    pub session: Session,
    pub keep_alive_s: u32,
    /// A batch holds at most this many observations.
    pub batch_limit: u32,
}

/// The server's settings for a terminal: it must not collect more than this, even if its own configuration allows more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    hash: u64,
    most: CollectionLevel,
}

impl Settings {
    /// Settings that allow at most `most`.
    #[must_use]
    pub fn limiting(most: CollectionLevel) -> Self {
        Self { hash: Self::digest(most), most }
    }

    /// The hash from the server that sent them.
    #[must_use]
    pub const fn hash(self) -> u64 {
        self.hash
    }

    /// The highest level; `None` if a newer server asks for something that this version does not know.
    #[must_use]
    pub fn most(self) -> Option<CollectionLevel> {
        (self.most != CollectionLevel::Unknown && self.hash == Self::digest(self.most)).then_some(self.most)
    }

    /// FNV-1a over all fields of the settings. A version with more fields computes another hash if an additional field
    /// is set.
    fn digest(most: CollectionLevel) -> u64 {
        const PRIME: u64 = 0x0100_0000_01b3;
        let bytes = most.to_wire().to_be_bytes();
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
    }
}

/// A message of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Welcome(Welcome),
    /// Everything up to and including `through` is in the log.
    Ack {
        through: Seq,
    },
    /// A batch was missing: send again what follows `after`.
    Resume {
        after: Seq,
    },
    /// Send nothing for this long.
    SlowDown {
        pause_ms: u32,
    },
    /// Collect no more than this.
    Settings(Settings),
}

impl TryFrom<wire::Hello> for Hello {
    type Error = DecodeError;

    fn try_from(hello: wire::Hello) -> Result<Self, DecodeError> {
        Ok(Self {
            terminal: decode::field::terminal("terminal", &hello.terminal)?,
            facility: decode::field::facility("facility", &hello.facility)?,
            life: decode::field::life("life", &hello.life)?,
            first_unacknowledged: decode::seq("first_unacknowledged", hello.first_unacknowledged)?,
            agent_version: decode::field::version("agent_version", hello.agent_version)?,
            sent_at: decode::field::instant("sent_at_us", hello.sent_at_us)?,
            way: Way::from_wire(hello.way),
            takes_settings: hello.takes_settings,
            former: former(&hello.former)?,
        })
    }
}

fn former(all: &[Vec<u8>]) -> Result<Vec<TerminalId>, DecodeError> {
    if all.len() > Hello::FORMER {
        return Err(DecodeError::Number { field: "former", range: "at most 8" });
    }
    all.iter().map(|one| decode::field::terminal("former", one)).collect()
}

impl From<Hello> for wire::Up {
    fn from(hello: Hello) -> Self {
        let hello = wire::Hello {
            terminal: hello.terminal.to_bytes(),
            facility: hello.facility.to_bytes(),
            life: hello.life.to_bytes(),
            first_unacknowledged: hello.first_unacknowledged.0,
            agent_version: hello.agent_version,
            sent_at_us: to_micros(hello.sent_at),
            way: hello.way.to_wire(),
            takes_settings: hello.takes_settings,
            former: hello.former.into_iter().map(TerminalId::to_bytes).collect(),
        };
        Self { message: Some(up::Message::Hello(hello)) }
    }
}

impl Answer {
    /// The answer in a message of the server; `None` if it is of a kind that only a newer version knows, which a
    /// terminal ignores.
    pub fn read(down: wire::Down) -> Result<Option<Self>, DecodeError> {
        let above_zero = |field, number| match number {
            0 => Err(DecodeError::Number { field, range: "from 1" }),
            number => Ok(number),
        };
        let Some(message) = down.message else { return Ok(None) };
        Ok(Some(match message {
            down::Message::Welcome(welcome) => Self::Welcome(Welcome {
                session: decode::field::session("session", &welcome.session)?,
                keep_alive_s: above_zero("keep_alive_s", welcome.keep_alive_s)?,
                batch_limit: above_zero("batch_limit", welcome.batch_limit)?,
            }),
            down::Message::Ack(ack) => Self::Ack { through: decode::seq("through", ack.through)? },
            down::Message::Resume(resume) => Self::Resume { after: Seq(resume.after) },
            down::Message::SlowDown(slow_down) => Self::SlowDown { pause_ms: slow_down.pause_ms },
            down::Message::Settings(settings) => {
                Self::Settings(Settings { hash: settings.hash, most: CollectionLevel::from_wire(settings.most) })
            }
        }))
    }
}

impl From<Answer> for wire::Down {
    fn from(answer: Answer) -> Self {
        let message = match answer {
            Answer::Welcome(Welcome { session, keep_alive_s, batch_limit }) => {
                down::Message::Welcome(wire::Welcome { session: session.to_bytes(), keep_alive_s, batch_limit })
            }
            Answer::Ack { through } => down::Message::Ack(wire::Ack { through: through.0 }),
            Answer::Resume { after } => down::Message::Resume(wire::Resume { after: after.0 }),
            Answer::SlowDown { pause_ms } => down::Message::SlowDown(wire::SlowDown { pause_ms }),
            Answer::Settings(Settings { hash, most }) => {
                down::Message::Settings(wire::Settings { hash, most: most.to_wire() })
            }
        };
        Self { message: Some(message) }
    }
}
