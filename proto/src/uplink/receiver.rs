//! The server's half of one stream.
//!
//! The shell carries out each [`Effect`] before or while it passes in the next message, with one condition: appends of
//! one stream must reach the log in the order in which they were requested, and after a failed append no later one may
//! be made; the stream then ends and the terminal sends again. Otherwise a later number could enter the log before an
//! earlier one, and the earlier one would be taken for a duplicate. The shell limits the number of open appends by not
//! reading further messages.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::message::{Answer, Hello, Welcome};
use crate::decode::{self, DecodeError};
use crate::event::Observation;
use crate::id::{FacilityId, Seq, Session, TerminalId};
use crate::wire::{self, up};

/// The terminal and facility in the client certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    pub terminal: TerminalId,
    pub facility: FacilityId,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiverSettings {
    pub keep_alive_s: u32,
    /// A batch holds at most this many observations.
    pub batch_limit: u32,
}

/// What the shell has to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Send `welcome`; the terminal is connected.
    Greet { hello: Hello, welcome: Answer },
    /// Append these observations to the log, then call [`Receiver::appended`] with `through`. They were sent at
    /// `sent_at` by the terminal's clock. Never empty.
    Append { observations: Vec<Observation>, sent_at: DateTime<Utc>, through: Seq },
    /// Send this answer.
    Answer(Answer),
    /// The terminal is connected and has stored everything up to `last_kept`.
    Present { last_kept: Seq, sent_at: DateTime<Utc> },
}

/// Why the stream is rejected.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the first message of the stream is not `Hello`")]
    HelloFirst,
    #[error("the stream contains a second `Hello`")]
    HelloTwice,
    #[error("`Hello` names another terminal or facility than the certificate (enrol this terminal again)")]
    NotYou,
    #[error("invalid batch: sequence numbers must rise and be above `after`")]
    OutOfOrder,
    #[error("the batch has more than {limit} observations")]
    OverLimit { limit: u32 },
    #[error("invalid message")]
    Message(#[from] DecodeError),
}

/// See the head of this file.
#[derive(Debug)]
pub struct Receiver {
    peer: Peer,
    session: Session,
    settings: ReceiverSettings,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Expecting,
    Greeted(Progress),
}

#[derive(Debug)]
struct Progress {
    /// The last number that was passed to the shell.
    received: Seq,
    /// Everything up to here is in the log, or was acknowledged in an earlier stream.
    appended: Seq,
    /// Appends that were requested and are not yet covered by `appended`, in order.
    open: VecDeque<Append>,
    /// Where `Resume` was last requested. It is sent once for each hole, because every later batch would trigger it
    /// again.
    resumed: Option<Seq>,
}

#[derive(Debug)]
struct Append {
    through: Seq,
    done: bool,
}

impl Receiver {
    /// A receiver for one stream of `peer`; `session` is a new random identifier.
    #[must_use]
    pub const fn new(peer: Peer, session: Session, settings: ReceiverSettings) -> Self {
        Self { peer, session, settings, stage: Stage::Expecting }
    }

    /// Handles the next message. After a refusal, close the stream and drop this receiver.
    pub fn handle(&mut self, message: wire::Up) -> Result<Option<Effect>, Refusal> {
        let message = message.message.ok_or(DecodeError::UnknownKind { field: "up" })?;
        match (message, &mut self.stage) {
            (up::Message::Hello(hello), Stage::Expecting) => self.greet(hello.try_into()?).map(Some),
            (_, Stage::Expecting) => Err(Refusal::HelloFirst),
            (up::Message::Hello(_), Stage::Greeted(_)) => Err(Refusal::HelloTwice),
            (up::Message::Batch(batch), Stage::Greeted(progress)) => progress.take(batch, self.settings.batch_limit),
            (up::Message::KeepAlive(here), Stage::Greeted(_)) => Ok(Some(Effect::Present {
                last_kept: Seq(here.last_kept),
                sent_at: decode::field::instant("sent_at_us", here.sent_at_us)?,
            })),
        }
    }

    /// Records that the log has confirmed the append that [`Effect::Append`] requested with `through`. Confirmations
    /// may come in any order. The answer acknowledges what is in the log without a hole; it is absent if that has not
    /// changed.
    pub fn appended(&mut self, through: Seq) -> Option<Answer> {
        let Stage::Greeted(progress) = &mut self.stage else { return None };
        progress.appended(through)
    }

    fn greet(&mut self, hello: Hello) -> Result<Effect, Refusal> {
        if (hello.terminal, hello.facility) != (self.peer.terminal, self.peer.facility) {
            return Err(Refusal::NotYou);
        }
        let before = Seq(hello.first_unacknowledged.0.saturating_sub(1));
        self.stage =
            Stage::Greeted(Progress { received: before, appended: before, open: VecDeque::new(), resumed: None });
        let ReceiverSettings { keep_alive_s, batch_limit } = self.settings;
        let welcome = Answer::Welcome(Welcome { session: self.session, keep_alive_s, batch_limit });
        Ok(Effect::Greet { hello, welcome })
    }
}

impl Progress {
    fn take(&mut self, batch: wire::Batch, limit: u32) -> Result<Option<Effect>, Refusal> {
        if batch.observations.len() > limit as usize {
            return Err(Refusal::OverLimit { limit });
        }
        let sent_at = decode::field::instant("sent_at_us", batch.sent_at_us)?;
        let after = Seq(batch.after);
        let mut observations: Vec<Observation> =
            batch.observations.into_iter().map(decode::from_terminal).collect::<Result<_, _>>()?;
        let lowest = observations.first().is_none_or(|first| first.seq > after);
        if !lowest || !observations.is_sorted_by(|one, next| one.seq < next.seq) {
            return Err(Refusal::OutOfOrder);
        }
        if after > self.received {
            let asked = self.resumed.replace(self.received) == Some(self.received);
            return Ok((!asked).then_some(Effect::Answer(Answer::Resume { after: self.received })));
        }
        // The batch holds everything that the terminal has after `after`, so nothing is missing before its remainder.
        observations.retain(|observation| observation.seq > self.received);
        let Some(last) = observations.last() else { return Ok(self.acknowledgement().map(Effect::Answer)) };
        let through = last.seq;
        self.received = through;
        self.open.push_back(Append { through, done: false });
        Ok(Some(Effect::Append { observations, sent_at, through }))
    }

    fn appended(&mut self, through: Seq) -> Option<Answer> {
        if let Ok(index) = self.open.binary_search_by_key(&through, |append| append.through) {
            self.open[index].done = true;
        }
        let before = self.appended;
        while let Some(first) = self.open.pop_front_if(|append| append.done) {
            self.appended = first.through;
        }
        (self.appended > before).then(|| self.acknowledgement()).flatten()
    }

    /// What can be acknowledged now; nothing at the start of a life.
    fn acknowledgement(&self) -> Option<Answer> {
        (self.appended > Seq::NONE).then_some(Answer::Ack { through: self.appended })
    }
}
