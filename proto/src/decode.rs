//! Decodes messages into parsed values. Everything that comes in passes here once and need not be checked again.
//!
//! Strict about identifiers, instants and texts, so that nothing outside the closed schema can pass; lenient about enum
//! values of a newer version, which are read as `Unknown`. An error names the field and never repeats its content.

pub(crate) mod field;
mod kind;
mod unknown;

use prost::Message;

use crate::event::{Event, LogBody, LogRecord, Observation, Origin, Speaker, Stated};
use crate::id::Seq;
use crate::wire::{self, log_record::Body, statement::By};

/// Why a message can't be decoded.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("invalid message: the bytes are not a message of this contract")]
    Malformed(#[source] prost::DecodeError),
    #[error("`{field}` is missing")]
    Missing { field: &'static str },
    #[error("`{field}` has a kind that this version does not know (update this program)")]
    UnknownKind { field: &'static str },
    #[error("`{field}` is not an identifier of 16 bytes")]
    Identifier { field: &'static str },
    #[error("`{field}` is not an instant of the years 1970 to 9999")]
    Instant { field: &'static str },
    #[error("`{field}` is out of its range: {range}")]
    Number { field: &'static str, range: &'static str },
    #[error("`{field}` is not {rule}")]
    Text { field: &'static str, rule: &'static str },
    #[error("a terminal must not send `{kind}`")]
    NotFromTerminal { kind: &'static str },
}

/// Decodes one record of the log from its stored bytes.
pub fn log_record(bytes: &[u8]) -> Result<LogRecord, DecodeError> {
    let record = wire::LogRecord::decode(bytes).map_err(DecodeError::Malformed)?;
    let body = match record.body.ok_or(DecodeError::UnknownKind { field: "body" })? {
        Body::Terminal(batch) => LogBody::Terminal {
            terminal: field::terminal("terminal", &batch.terminal)?,
            life: field::life("life", &batch.life)?,
            sent_at: field::instant("sent_at_us", batch.sent_at_us)?,
            observations: batch.observations.into_iter().map(observation).collect::<Result<_, _>>()?,
        },
        Body::Statement(said) => statement(said)?,
    };
    Ok(LogRecord {
        facility: field::facility("facility", &record.facility)?,
        received_at: field::instant("received_at_us", record.received_at_us)?,
        body,
    })
}

/// Decodes one observation of any kind.
pub fn observation(observation: wire::Observation) -> Result<Observation, DecodeError> {
    Ok(Observation {
        seq: seq("seq", observation.seq)?,
        occurred_at: field::instant("occurred_at_us", observation.occurred_at_us)?,
        observed_at: field::instant("observed_at_us", observation.observed_at_us)?,
        event: observed(&observation.event)?,
    })
}

/// What was observed. A kind of a newer version is kept as its bytes.
fn observed(bytes: &[u8]) -> Result<Event, DecodeError> {
    match wire::Event::decode(bytes).map_err(DecodeError::Malformed)?.kind {
        Some(kind) => kind::event(kind),
        None => unknown::kind(bytes).map(Event::from),
    }
}

/// Decodes one observation from a terminal; rejects kinds that a terminal must not send.
pub fn from_terminal(observation: wire::Observation) -> Result<Observation, DecodeError> {
    let observation = self::observation(observation)?;
    match observation.event.speaker() {
        Speaker::Terminal | Speaker::Anyone => Ok(observation),
        Speaker::Person | Speaker::Server | Speaker::List => {
            Err(DecodeError::NotFromTerminal { kind: observation.event.kind() })
        }
    }
}

/// What a statement says. A kind of a newer version is an error here, because a person's statement must not be folded
/// without its meaning.
pub fn event(event: wire::Event) -> Result<Event, DecodeError> {
    kind::event(event.kind.ok_or(DecodeError::UnknownKind { field: "event" })?)
}

fn statement(said: wire::Statement) -> Result<LogBody, DecodeError> {
    let stated_at = field::instant("stated_at_us", said.stated_at_us)?;
    let origin = match said.by.ok_or(DecodeError::UnknownKind { field: "by" })? {
        By::Person(person) => Origin::Person(Stated {
            by: field::line("name", person.name)?,
            why: field::optional(person.why, |why| field::line("why", why))?,
            stated_at,
            id: person.id.map(|id| field::statement("id", &id)).transpose()?,
        }),
        By::Server(instance) => Origin::Server { instance: field::instance("server", &instance)?, stated_at },
        By::Snapshot(snapshot) => Origin::List { snapshot: field::snapshot("snapshot", &snapshot)?, stated_at },
    };
    let event = event(said.event.ok_or(DecodeError::Missing { field: "event" })?)?;
    Ok(LogBody::Statement { origin, event })
}

/// A sequence number, which begins at 1 and fits into the database's signed numbers.
pub(crate) fn seq(field: &'static str, number: u64) -> Result<Seq, DecodeError> {
    let fits = number >= 1 && i64::try_from(number).is_ok();
    if fits { Ok(Seq(number)) } else { Err(DecodeError::Number { field, range: "1 to 2^63 - 1" }) }
}
