//! The terminal's half of one stream. The observations are in the spool, not here.
//!
//! The shell's loop: after every call that may change the answer, call [`Sender::poll`] and carry out its result until
//! it is `None`, then wait for the server, for the spool ([`Sender::kept`]) or for [`Sender::deadline`]. Calling `poll`
//! too early is harmless.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::message::{Answer, Welcome};
use crate::id::Seq;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderSettings {
    /// At most this many batches may wait for their acknowledgement.
    pub window: usize,
    /// A batch holds at most this many observations, and no more than the server allows.
    pub batch_limit: usize,
    /// If nothing was acknowledged for this long, everything unacknowledged is sent again.
    pub resend_after: Duration,
    /// If an answer of the server has been due for this long, the stream is given up.
    pub give_up_after: Duration,
}

/// What the shell has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transmit {
    Hello {
        first_unacknowledged: Seq,
    },
    /// Read up to `limit` observations with a number above `after` from the spool, send them, and call
    /// [`Sender::sent`], even if there was nothing to read.
    Batch {
        after: Seq,
        limit: usize,
    },
    KeepAlive {
        last_kept: Seq,
    },
    /// The server does not answer: close this stream and open another one with a new `Sender`.
    GiveUp,
}

/// A violation of the protocol by the server: close the stream and open another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Violation {
    #[error("the server sent a message before `Welcome`")]
    WelcomeFirst,
    #[error("the server sent `Welcome` twice")]
    WelcomeTwice,
    #[error("the server acknowledged {through}, but only {sent} was sent")]
    AckBeyondSent { through: Seq, sent: Seq },
}

/// See the head of this file.
#[derive(Debug)]
pub struct Sender {
    settings: SenderSettings,
    greeted: bool,
    welcome: Option<Welcome>,
    last_kept: Seq,
    /// Acknowledged up to here; never sent again.
    released: Seq,
    /// The number after which the next batch begins.
    cursor: Seq,
    /// The highest number that was sent in this stream; going back does not lower it.
    sent: Seq,
    /// The spool has nothing between `cursor` and here, because it was shed.
    drained: Seq,
    /// The last number of each batch that was sent since the last return and is not acknowledged.
    open: VecDeque<Seq>,
    /// When the wait for an acknowledgement began or the last one arrived; not before the end of a pause.
    waiting_since: Option<Instant>,
    /// Since when an answer of the server (a welcome or an acknowledgement) has been due; not before the end of a
    /// pause. Sending again does not reset it.
    owed_since: Option<Instant>,
    /// When the terminal last sent something.
    spoke_at: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Sender {
    /// A sender for one stream. `first_unacknowledged` is the lowest number in the spool, or the one after `last_kept`
    /// if the spool is empty.
    #[must_use]
    pub const fn new(settings: SenderSettings, first_unacknowledged: Seq, last_kept: Seq) -> Self {
        let before = Seq(first_unacknowledged.0.saturating_sub(1));
        Self {
            settings,
            greeted: false,
            welcome: None,
            last_kept,
            released: before,
            cursor: before,
            sent: before,
            drained: Seq::NONE,
            open: VecDeque::new(),
            waiting_since: None,
            owed_since: None,
            spoke_at: None,
            paused_until: None,
        }
    }

    /// Records that the spool has stored everything up to `last`. May change the result of `poll`.
    pub fn kept(&mut self, last: Seq) {
        self.last_kept = self.last_kept.max(last);
    }

    /// What to do now. Changes after `kept`, `sent` and `handle`, and at `deadline`. [`Transmit::Batch`] is repeated
    /// until `sent` is called; `Hello` and `KeepAlive` count as sent once they were returned here.
    pub fn poll(&mut self, now: Instant) -> Option<Transmit> {
        if !self.greeted {
            self.greeted = true;
            self.spoke_at = Some(now);
            self.owed_since = Some(now);
            return Some(Transmit::Hello { first_unacknowledged: self.released.next() });
        }
        if self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        self.paused_until = None;
        if self.give_up_at().is_some_and(|at| at <= now) {
            return Some(Transmit::GiveUp);
        }
        let welcome = self.welcome?;
        if self.resend_at().is_some_and(|at| at <= now) {
            self.go_back(self.released);
        }
        if self.last_kept > self.cursor.max(self.drained) && self.open.len() < self.settings.window {
            let limit = self.settings.batch_limit.min(welcome.batch_limit as usize);
            return Some(Transmit::Batch { after: self.cursor, limit });
        }
        if self.keep_alive_at().is_some_and(|at| at <= now) {
            self.spoke_at = Some(now);
            return Some(Transmit::KeepAlive { last_kept: self.last_kept });
        }
        None
    }

    /// Records that a batch that [`Transmit::Batch`] requested was sent: `count` observations, the last of them `last`.
    /// With a `count` of 0 nothing was sent, because the spool has shed what was there. May change the result of
    /// `poll`.
    pub fn sent(&mut self, after: Seq, last: Seq, count: usize, now: Instant) {
        if count == 0 {
            if after <= self.cursor {
                self.drained = self.last_kept;
            }
            if self.open.is_empty() {
                self.owed_since = None;
            }
            return;
        }
        self.spoke_at = Some(now);
        self.sent = self.sent.max(last);
        // If an answer has moved the cursor back since `poll`, the server will request what lies between again.
        if after <= self.cursor && last > self.cursor {
            if self.open.is_empty() {
                self.waiting_since = self.waiting_since.max(Some(now));
            }
            self.owed_since.get_or_insert(now);
            self.cursor = last;
            self.open.push_back(last);
        }
    }

    /// Handles an answer of the server. Returns through which number the spool may release. May change the result of
    /// `poll`. After a violation, close the stream and drop this sender.
    pub fn handle(&mut self, answer: Answer, now: Instant) -> Result<Option<Seq>, Violation> {
        let released = self.take(answer, now)?;
        self.owed_since = self.owed_since.max(Some(now)).filter(|_| !self.open.is_empty());
        Ok(released)
    }

    /// When `poll` must be called next although nothing has happened. Changes after every other call.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let due = [self.give_up_at(), self.resend_at(), self.keep_alive_at()].into_iter().flatten().min();
        match (due, self.paused_until) {
            (due, None) => due,
            (due, Some(until)) => Some(due.map_or(until, |due| due.max(until))),
        }
    }

    fn take(&mut self, answer: Answer, now: Instant) -> Result<Option<Seq>, Violation> {
        match (answer, self.welcome) {
            (Answer::Welcome(welcome), None) => {
                self.welcome = Some(welcome);
                Ok(None)
            }
            (Answer::Welcome(_), Some(_)) => Err(Violation::WelcomeTwice),
            (_, None) => Err(Violation::WelcomeFirst),
            (Answer::Ack { through }, Some(_)) => self.release(through, now),
            (Answer::Resume { after }, Some(_)) => {
                let after = after.max(self.released);
                if after < self.cursor {
                    self.go_back(after);
                }
                Ok(None)
            }
            // These concern the shell only.
            (Answer::Settings(_), Some(_)) => Ok(None),
            (Answer::SlowDown { pause_ms }, Some(_)) => {
                self.paused_until = Some(now + Duration::from_millis(pause_ms.into()));
                self.owed_since = self.owed_since.max(self.paused_until);
                self.waiting_since = self.waiting_since.max(self.paused_until);
                Ok(None)
            }
        }
    }

    fn release(&mut self, through: Seq, now: Instant) -> Result<Option<Seq>, Violation> {
        if through > self.sent {
            return Err(Violation::AckBeyondSent { through, sent: self.sent });
        }
        if through <= self.released {
            return Ok(None);
        }
        self.released = through;
        self.cursor = self.cursor.max(through);
        while self.open.pop_front_if(|last| *last <= through).is_some() {}
        self.waiting_since = self.waiting_since.max(Some(now));
        Ok(Some(through))
    }

    fn go_back(&mut self, after: Seq) {
        self.cursor = after;
        self.drained = Seq::NONE;
        self.open.retain(|last| *last <= after);
    }

    fn give_up_at(&self) -> Option<Instant> {
        self.owed_since.map(|since| since + self.settings.give_up_after)
    }

    fn resend_at(&self) -> Option<Instant> {
        self.waiting_since.filter(|_| !self.open.is_empty()).map(|at| at + self.settings.resend_after)
    }

    fn keep_alive_at(&self) -> Option<Instant> {
        let every = Duration::from_secs(self.welcome?.keep_alive_s.into());
        self.spoke_at.map(|at| at + every)
    }
}
