//! One terminal with its spool, one server with its log, the wire between them, and the clock of all three.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::DateTime;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;
use yomitori_proto::encode;
use yomitori_proto::event::{ClockStepped, Event, Observation};
use yomitori_proto::id::{FacilityId, Life, Seq, Session, TerminalId};
use yomitori_proto::uplink::{
    Answer, Effect, Hello, Peer, Receiver, ReceiverSettings, Sender, SenderSettings, Transmit,
};
use yomitori_proto::vocabulary::Way;
use yomitori_proto::wire;

const PEER: Peer = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };
const RECEIVER: ReceiverSettings = ReceiverSettings { keep_alive_s: 10, batch_limit: 20 };
const SENDER: SenderSettings = SenderSettings {
    window: 4,
    batch_limit: 16,
    resend_after: Duration::from_secs(5),
    give_up_after: Duration::from_secs(20),
};
/// How long the faults last, and how long it may take afterwards until nothing is pending.
const FAULTS_LAST: Duration = Duration::from_secs(60);
const RECOVERY: Duration = Duration::from_secs(60);

/// Rates are per mille of messages, except `shed`, which is per mille of stored observations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) lose: u32,
    pub(crate) double: u32,
    pub(crate) delay_ms: u64,
    pub(crate) reorder: bool,
    /// The connection breaks; the server still makes its pending appends.
    pub(crate) hang_up: u32,
    /// The server dies and loses its pending appends.
    pub(crate) crash: u32,
    pub(crate) slow_down: u32,
    /// The spool is full and sheds an unacknowledged observation.
    pub(crate) shed: u32,
}

impl Faults {
    pub(crate) const NONE: Self =
        Self { lose: 0, double: 0, delay_ms: 0, reorder: false, hang_up: 0, crash: 0, slow_down: 0, shed: 0 };
}

#[derive(Debug)]
enum Happening {
    Connect,
    Keep,
    /// The spool has been read for a batch.
    Read {
        connection: u64,
        after: Seq,
        limit: usize,
    },
    Up {
        connection: u64,
        message: wire::Up,
    },
    Down {
        connection: u64,
        message: wire::Down,
    },
    /// The log takes an append.
    Land {
        connection: u64,
        seqs: Vec<u64>,
        through: Seq,
    },
    /// The log confirms an append.
    Confirm {
        connection: u64,
        through: Seq,
    },
}

struct Stream {
    sender: Sender,
    receiver: Receiver,
    /// A batch is being read; the sender is not polled meanwhile.
    reading: bool,
    /// When the last message of each direction arrives, and the last append lands.
    up_at: Instant,
    down_at: Instant,
    land_at: Instant,
}

pub(crate) struct World {
    rng: SmallRng,
    faults: Faults,
    now: Instant,
    to_come: BTreeMap<(Instant, u64), Happening>,
    scheduled: u64,
    spool: BTreeSet<u64>,
    last_kept: u64,
    shed: BTreeSet<u64>,
    stream: Option<Stream>,
    /// How many were stored; the last one has this number.
    pub(crate) connections: u64,
    pub(crate) log: Vec<u64>,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of the virtual clock")]
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let mut world = Self {
            rng: SmallRng::seed_from_u64(seed),
            faults,
            now: Instant::now(),
            to_come: BTreeMap::new(),
            scheduled: 0,
            spool: BTreeSet::new(),
            last_kept: 0,
            shed: BTreeSet::new(),
            stream: None,
            connections: 0,
            log: Vec::new(),
        };
        world.schedule(Duration::ZERO, Happening::Connect);
        world
    }

    /// The recorder stores `count` observations at once.
    pub(crate) fn keep(&mut self, count: u64) {
        for _ in 0..count {
            self.last_kept += 1;
            self.spool.insert(self.last_kept);
            if self.chance(self.faults.shed) {
                let any = self.rng.random_range(0..self.spool.len());
                let victim = *self.spool.iter().nth(any).expect("the spool is not empty");
                self.spool.remove(&victim);
                self.shed.insert(victim);
            }
        }
        if let Some(stream) = &mut self.stream {
            stream.sender.kept(Seq(self.last_kept));
        }
    }

    /// Faults happen while `count` more observations are stored one by one.
    pub(crate) fn run_with_faults(&mut self, count: u64) {
        for _ in 0..count {
            let after = Duration::from_millis(self.rng.random_range(0..FAULTS_LAST.as_millis() as u64));
            self.schedule(after, Happening::Keep);
        }
        let end = self.now + FAULTS_LAST;
        while self.step(end) {}
    }

    /// No more faults: soon nothing may be pending.
    pub(crate) fn run_to_the_end(&mut self) {
        self.faults = Faults::NONE;
        let end = self.now + RECOVERY;
        while self.step(end) {}
    }

    /// Checks what must be true in the end after any faults.
    pub(crate) fn judge(&self) {
        let lost: Vec<_> =
            (1..=self.last_kept).filter(|seq| !self.shed.contains(seq) && !self.log.contains(seq)).collect();
        assert!(lost.is_empty(), "stored and never appended: {lost:?}");
        assert!(self.spool.is_empty(), "appended and never released: {:?}", self.spool);
        assert!(self.log.iter().all(|seq| (1..=self.last_kept).contains(seq)), "the log holds what was never stored");
        let mut seen = BTreeSet::new();
        // What was shed may arrive late, because another stream that had read it before may still be appending.
        let first: Vec<u64> =
            self.log.iter().copied().filter(|seq| !self.shed.contains(seq) && seen.insert(*seq)).collect();
        assert!(first.is_sorted(), "first appends are out of order: {first:?}");
    }

    /// Advances to the next event; `false` if it is after `end`.
    fn step(&mut self, end: Instant) -> bool {
        self.transmit();
        let happening = self.to_come.first_key_value().map(|((at, _), _)| *at);
        let deadline =
            self.stream.as_ref().filter(|stream| !stream.reading).and_then(|stream| stream.sender.deadline());
        let Some(next) = happening.into_iter().chain(deadline).min().filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        assert!(deadline.is_none_or(|at| at > self.now), "a deadline in the past would cause a busy loop");
        self.now = next;
        if happening == Some(next) {
            let (_, happening) = self.to_come.pop_first().expect("the queue was not empty");
            self.happen(happening);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Connect => self.connect(),
            Happening::Keep => self.keep(1),
            Happening::Read { connection, after, limit } if connection == self.connections => self.read(after, limit),
            Happening::Up { connection, message } if connection == self.connections => self.receive(message),
            Happening::Down { connection, message } if connection == self.connections => self.hear(message),
            Happening::Land { connection, seqs, through } => {
                self.log.extend(seqs);
                // The log confirms in any order.
                let wait = Duration::from_millis(self.rng.random_range(0..50));
                self.schedule(wait, Happening::Confirm { connection, through });
            }
            Happening::Confirm { connection, through } if connection == self.connections => {
                let answer = self.stream.as_mut().and_then(|stream| stream.receiver.appended(through));
                self.answer(answer);
            }
            Happening::Read { .. } | Happening::Up { .. } | Happening::Down { .. } | Happening::Confirm { .. } => {}
        }
    }

    fn connect(&mut self) {
        self.connections += 1;
        let first = self.spool.first().copied().unwrap_or(self.last_kept + 1);
        let session = Session(Uuid::from_u128(self.connections.into()));
        self.stream = Some(Stream {
            sender: Sender::new(SENDER, Seq(first), Seq(self.last_kept)),
            receiver: Receiver::new(PEER, session, RECEIVER),
            reading: false,
            up_at: self.now,
            down_at: self.now,
            land_at: self.now,
        });
    }

    fn hang_up(&mut self) {
        if self.stream.take().is_some() {
            let wait = Duration::from_millis(self.rng.random_range(0..2000));
            self.schedule(wait, Happening::Connect);
        }
    }

    /// The terminal's shell: carries out what the sender requests until it requests nothing.
    fn transmit(&mut self) {
        for _ in 0..100 {
            let Some(stream) = self.stream.as_mut().filter(|stream| !stream.reading) else { return };
            let sent_at_us = 0;
            let message = match stream.sender.poll(self.now) {
                None => return,
                Some(Transmit::GiveUp) => {
                    self.hang_up();
                    continue;
                }
                Some(Transmit::Batch { after, limit }) => {
                    stream.reading = true;
                    let connection = self.connections;
                    let wait = Duration::from_millis(self.rng.random_range(0..20));
                    self.schedule(wait, Happening::Read { connection, after, limit });
                    return;
                }
                Some(Transmit::KeepAlive { last_kept }) => wire::Up {
                    message: Some(wire::up::Message::KeepAlive(wire::KeepAlive { last_kept: last_kept.0, sent_at_us })),
                },
                Some(Transmit::Hello { first_unacknowledged }) => wire::Up::from(Hello {
                    terminal: PEER.terminal,
                    facility: PEER.facility,
                    life: Life(Uuid::from_u128(3)),
                    first_unacknowledged,
                    agent_version: "0.1.0".into(),
                    sent_at: DateTime::UNIX_EPOCH,
                    way: Way::Direct,
                    takes_settings: false,
                    former: Vec::new(),
                }),
            };
            self.fly_up(message);
        }
        panic!("the sender requests without end");
    }

    fn read(&mut self, after: Seq, limit: usize) {
        let limit = self.rng.random_range(1..=limit);
        let seqs: Vec<u64> = self.spool.range(after.0 + 1..).take(limit).copied().collect();
        let Some(stream) = &mut self.stream else { return };
        stream.reading = false;
        stream.sender.sent(after, seqs.last().map_or(after, |last| Seq(*last)), seqs.len(), self.now);
        if !seqs.is_empty() {
            let observations = seqs.into_iter().map(observation).collect();
            let batch = wire::Batch { after: after.0, sent_at_us: 0, observations };
            self.fly_up(wire::Up { message: Some(wire::up::Message::Batch(batch)) });
        }
    }

    /// The terminal receives a message of the server.
    fn hear(&mut self, message: wire::Down) {
        let Some(stream) = &mut self.stream else { return };
        let answer = Answer::read(message).expect("the server's message is valid").expect("it is known");
        match stream.sender.handle(answer, self.now) {
            Ok(None) => {}
            Ok(Some(through)) => {
                let kept = self.spool.split_off(&(through.0 + 1));
                let released = std::mem::replace(&mut self.spool, kept);
                let lost: Vec<_> = released.iter().filter(|seq| !self.log.contains(seq)).collect();
                assert!(lost.is_empty(), "released and not in the log: {lost:?}");
            }
            Err(_) => self.hang_up(),
        }
    }

    /// The server receives a message of the terminal.
    fn receive(&mut self, message: wire::Up) {
        let slow_down = self.chance(self.faults.slow_down);
        let Some(stream) = &mut self.stream else { return };
        match stream.receiver.handle(message) {
            Ok(None) => {}
            Ok(Some(Effect::Greet { welcome, .. })) => {
                self.answer(Some(welcome));
                let pause_ms = self.rng.random_range(0..3000);
                self.answer(slow_down.then_some(Answer::SlowDown { pause_ms }));
            }
            Ok(Some(Effect::Answer(answer))) => self.answer(Some(answer)),
            Ok(Some(Effect::Present { last_kept, .. })) => assert!(last_kept.0 <= self.last_kept),
            Ok(Some(Effect::Append { observations, through, .. })) => {
                let seqs = observations.iter().map(|observation| observation.seq.0).collect();
                let takes = Duration::from_millis(self.rng.random_range(0..=self.faults.delay_ms.max(20)));
                stream.land_at = stream.land_at.max(self.now + takes);
                let wait = stream.land_at - self.now;
                self.schedule(wait, Happening::Land { connection: self.connections, seqs, through });
            }
            Err(_) => self.hang_up(),
        }
    }

    fn answer(&mut self, answer: Option<Answer>) {
        if let Some(answer) = answer
            && self.stream.is_some()
        {
            self.fly(|connection| Happening::Down { connection, message: answer.into() }, |stream| &mut stream.down_at);
        }
    }

    fn fly_up(&mut self, message: wire::Up) {
        self.fly(|connection| Happening::Up { connection, message: message.clone() }, |stream| &mut stream.up_at);
    }

    /// Puts a message on the wire, with all faults that can happen there.
    fn fly(&mut self, message: impl Fn(u64) -> Happening, arrival: impl Fn(&mut Stream) -> &mut Instant) {
        if self.chance(self.faults.crash) {
            self.to_come
                .retain(|_, happening| !matches!(happening, Happening::Land { .. } | Happening::Confirm { .. }));
            return self.hang_up();
        }
        if self.chance(self.faults.hang_up) {
            return self.hang_up();
        }
        let copies = if self.chance(self.faults.lose) { 0 } else { 1 + u64::from(self.chance(self.faults.double)) };
        for _ in 0..copies {
            let mut at = self.now + Duration::from_millis(5 + self.rng.random_range(0..=self.faults.delay_ms));
            let Some(stream) = &mut self.stream else { return };
            if !self.faults.reorder {
                let latest = arrival(stream);
                at = at.max(*latest);
                *latest = at;
            }
            let message = message(self.connections);
            self.schedule(at - self.now, message);
        }
    }

    fn schedule(&mut self, wait: Duration, happening: Happening) {
        self.scheduled += 1;
        self.to_come.insert((self.now + wait, self.scheduled), happening);
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.random_range(0..1000) < per_mille
    }
}

fn observation(seq: u64) -> wire::Observation {
    encode::observation(&Observation {
        seq: Seq(seq),
        occurred_at: DateTime::UNIX_EPOCH,
        observed_at: DateTime::UNIX_EPOCH,
        event: Event::from(ClockStepped { delta_ms: 0 }),
    })
}
