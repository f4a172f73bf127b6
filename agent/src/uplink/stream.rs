//! One stream: carries out what the contract's [`Sender`] requests, and passes the server's answers to it. The agent
//! and the simulated fleet share this code.

use std::io;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Response, Status, Streaming};
use yomitori_observation::Sighting;
use yomitori_proto::decode::DecodeError;
use yomitori_proto::id::Seq;
use yomitori_proto::time::to_micros;
use yomitori_proto::uplink::{Answer, Hello, Sender, SenderSettings, Settings, Transmit, Violation};
use yomitori_proto::vocabulary::Way;
use yomitori_proto::wire::{self, up};
use yomitori_proto::{encode, event::Observation};

use super::nudge::Nudge;
use crate::clock_offset::ClockOffset;
use crate::condition::ConditionBoard;
use crate::connect::ConnectError;
use crate::identity::Identity;
use crate::identity::enrol::EnrolError;
use crate::limit::Limit;
use crate::outlet::Outlet;
use crate::rpc::uplink_client::UplinkClient;
use crate::sent::{SentLog, SentMessage};
use crate::spool::{Spool, SpoolError};
use crate::{VERSION, clock, crash, telemetry};

const SETTINGS: SenderSettings = SenderSettings {
    window: 4,
    batch_limit: 500,
    resend_after: Duration::from_secs(30),
    give_up_after: Duration::from_secs(90),
};
const OPEN_WITHIN: Duration = Duration::from_secs(40);
/// The server's messages have a few dozen bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("failed to connect")]
    Connect(#[from] ConnectError),
    #[error("the server ended the stream: {message}")]
    Ended { message: String },
    #[error("the server rejected this terminal's certificate: {message}")]
    Uncertified { message: String },
    /// The registry of terminals lets it send nothing: it is suspended, revoked or retired.
    #[error("the server refuses this terminal: {message}")]
    Refused { message: String },
    #[error("failed to renew the certificate")]
    Renewal(#[from] EnrolError),
    #[error("the server closed the stream")]
    Closed,
    #[error("the server did not answer in time")]
    Silent,
    #[error("invalid message from the server")]
    Answer(#[from] DecodeError),
    #[error("the server violated the protocol")]
    Violation(#[from] Violation),
    #[error("failed to write the record of what is sent")]
    Sent(#[from] io::Error),
    #[error("failed to read the spool")]
    Spool(#[from] SpoolError),
}

impl From<Status> for StreamError {
    /// Keeps the server's message only; the details of the connection below it are not helpful.
    fn from(status: Status) -> Self {
        let message = status.message().to_owned();
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other code ends the stream")]
        match status.code() {
            Code::Unauthenticated => Self::Uncertified { message },
            Code::PermissionDenied => Self::Refused { message },
            _ => Self::Ended { message },
        }
    }
}

impl StreamError {
    /// Whether it helps only that a person acts on the server.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } => true,
            Self::Renewal(EnrolError::Refused(status)) => status.code() == Code::PermissionDenied,
            _ => false,
        }
    }
}

/// Observes a stream: records what is sent and whether the server answers. Simulated terminals need none.
#[derive(Clone, Copy)]
pub struct StreamObserver<'a> {
    pub sent: &'a SentLog,
    pub board: &'a ConditionBoard,
    /// The limit that the server may lower, and the outlet for the report about it; without it, settings are ignored.
    pub limit: Option<(&'a Limit, &'a Outlet)>,
}

/// Sends the observations of one spool.
pub struct SpoolUploader<'a> {
    identity: &'a Identity,
    spool: &'a Spool,
    way: Way,
    observer: Option<StreamObserver<'a>>,
    progressed: bool,
    nudge: Nudge,
}

impl<'a> SpoolUploader<'a> {
    /// An uploader for one stream, which `observer` watches.
    #[must_use]
    pub fn new(identity: &'a Identity, spool: &'a Spool, observer: Option<StreamObserver<'a>>) -> Self {
        Self { identity, spool, way: Way::Direct, observer, progressed: false, nudge: Nudge::default() }
    }

    /// Sets the way by which this terminal reaches the server.
    #[must_use]
    pub const fn with_way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// Whether the server acknowledged anything, or the stream lasted longer than a failed attempt would.
    #[must_use]
    pub const fn progressed(&self) -> bool {
        self.progressed
    }

    /// Sends over `channel` until the stream ends, or after `closing` until everything is acknowledged. `kept` holds
    /// the highest number that is stored.
    pub async fn carry(
        &mut self,
        channel: Channel,
        kept: &mut watch::Receiver<Seq>,
        closing: &CancellationToken,
    ) -> Result<(), StreamError> {
        let last = *kept.borrow_and_update();
        let mut sender = Sender::new(SETTINGS, self.spool.first_unacknowledged(), last.max(self.spool.last()));
        let (up, messages) = mpsc::channel(SETTINGS.window);
        // The server answers to `Hello`, so it must be queued before the call waits for the answer.
        self.transmit(&mut sender, &up).await?;
        let mut client = UplinkClient::new(channel).max_decoding_message_size(LONGEST_ANSWER);
        let opened = tokio::time::timeout(OPEN_WITHIN, client.carry(ReceiverStream::new(messages))).await;
        let opened = opened.map_err(|_| StreamError::Silent)??;
        if let Some(StreamObserver { board, .. }) = self.observer {
            board.clock(server_time(&opened).and_then(|server| ClockOffset::between(clock::now(), server)));
        }
        let mut answers = opened.into_inner();
        loop {
            if let Err(error) = self.transmit(&mut sender, &up).await {
                // If the stream has ended, the server's reason is the better error.
                return Err(if matches!(error, StreamError::Closed) {
                    drain_until_end(&mut answers).await
                } else {
                    error
                });
            }
            if closing.is_cancelled() && self.spool.first_unacknowledged() > self.spool.last() {
                drop(up);
                while let Ok(Some(_)) = answers.message().await {}
                return Ok(());
            }
            let deadline = [sender.deadline(), self.nudge.deadline()].into_iter().flatten().min();
            tokio::select! {
                answer = answers.message() => {
                    let answer = answer?.ok_or(StreamError::Closed)?;
                    if let Some(answer) = Answer::read(answer)? {
                        self.handle_answer(&mut sender, answer)?;
                    }
                }
                Ok(()) = kept.changed() => sender.kept(*kept.borrow_and_update()),
                () = until(deadline) => {}
                () = closing.cancelled(), if !closing.is_cancelled() => {}
            }
        }
    }

    fn handle_answer(&mut self, sender: &mut Sender, answer: Answer) -> Result<(), StreamError> {
        match answer {
            Answer::Welcome(welcome) => {
                telemetry::connected(welcome.session);
                self.nudge.welcomed(clock::moment().steady);
                if let Some(StreamObserver { board, .. }) = self.observer {
                    board.connected();
                }
            }
            Answer::SlowDown { pause_ms } => {
                telemetry::pause_requested(pause_ms);
                self.nudge.rest();
            }
            Answer::Settings(settings) => self.apply_settings(settings),
            Answer::Ack { .. } | Answer::Resume { .. } => {}
        }
        if let Some(through) = sender.handle(answer, clock::moment().steady)? {
            self.spool.release(through)?;
            self.progressed = true;
            telemetry::acknowledged(through);
            self.nudge.acknowledged(through);
        }
        Ok(())
    }

    /// Applies the server's settings and reports the outcome like any other observation.
    fn apply_settings(&self, settings: Settings) {
        let Some((limit, outlet)) = self.observer.and_then(|observer| observer.limit) else { return };
        let now = clock::now();
        if let Some(taken) = limit.apply(settings, now)
            && outlet.try_send(Sighting::now(now, taken)).is_err()
        {
            limit.report_again();
        }
    }

    /// Carries out what the sender requests now.
    async fn transmit(&mut self, sender: &mut Sender, up: &mpsc::Sender<wire::Up>) -> Result<(), StreamError> {
        loop {
            let now = clock::moment();
            let Some(transmit) = sender.poll(now.steady) else {
                if self.nudge.poll(now.steady) {
                    self.keep_alive(self.spool.last(), now.wall, up).await?;
                }
                return Ok(());
            };
            match transmit {
                Transmit::Hello { first_unacknowledged } => {
                    let terminal = self.identity.terminal();
                    let (way, former) = (self.way, self.spool.former_owners());
                    self.record_sent([SentMessage::Hello {
                        terminal,
                        first_unacknowledged,
                        agent_version: VERSION,
                        way,
                        former: &former,
                    }])?;
                    let hello = Hello {
                        terminal,
                        facility: self.identity.facility(),
                        life: self.spool.life(),
                        first_unacknowledged,
                        agent_version: VERSION.to_owned(),
                        sent_at: now.wall,
                        way,
                        takes_settings: self.observer.is_some_and(|observer| observer.limit.is_some()),
                        former,
                    };
                    self.nudge.greeted(now.steady);
                    send(up, hello.into()).await?;
                }
                Transmit::Batch { after, limit } => {
                    let observations = self.spool.after(after, limit)?;
                    let last = observations.last().map_or(after, |observation| observation.seq);
                    if !observations.is_empty() {
                        self.record_sent(observations.iter().map(SentMessage::Observation))?;
                        send(up, batch(after, to_micros(now.wall), &observations)).await?;
                        crash::point("after-sent");
                        self.nudge.sent(last, clock::moment().steady);
                    }
                    sender.sent(after, last, observations.len(), clock::moment().steady);
                }
                Transmit::KeepAlive { last_kept } => {
                    self.progressed = true;
                    self.keep_alive(last_kept, now.wall, up).await?;
                }
                Transmit::GiveUp => return Err(StreamError::Silent),
            }
        }
    }

    async fn keep_alive(
        &self,
        last_kept: Seq,
        at: DateTime<Utc>,
        up: &mpsc::Sender<wire::Up>,
    ) -> Result<(), StreamError> {
        self.record_sent([SentMessage::KeepAlive { last_kept }])?;
        let keep_alive = wire::KeepAlive { last_kept: last_kept.0, sent_at_us: to_micros(at) };
        send(up, wire::Up { message: Some(up::Message::KeepAlive(keep_alive)) }).await
    }

    fn record_sent<'s>(&self, all: impl IntoIterator<Item = SentMessage<'s>>) -> io::Result<()> {
        self.observer.map_or(Ok(()), |StreamObserver { sent, .. }| sent.write(clock::now(), all))
    }
}

/// Checks whether the server accepts this terminal's certificate: opens a stream and ends it without a message. Returns
/// the server's time, if it says it.
pub async fn check_access(channel: Channel) -> Result<Option<DateTime<Utc>>, StreamError> {
    let mut client = UplinkClient::new(channel).max_decoding_message_size(LONGEST_ANSWER);
    let opened = tokio::time::timeout(OPEN_WITHIN, client.carry(tokio_stream::empty())).await;
    let opened = opened.map_err(|_| StreamError::Silent)??;
    let server = server_time(&opened);
    match drain_until_end(&mut opened.into_inner()).await {
        StreamError::Closed => Ok(server),
        error => Err(error),
    }
}

/// The server's time when it answered, in seconds, as HTTP has it in the head of every answer.
fn server_time<T>(answer: &Response<T>) -> Option<DateTime<Utc>> {
    let date = answer.metadata().get("date")?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(DateTime::from)
}

fn batch(after: Seq, sent_at_us: i64, observations: &[Observation]) -> wire::Up {
    let observations = observations.iter().map(encode::observation).collect();
    wire::Up { message: Some(up::Message::Batch(wire::Batch { after: after.0, sent_at_us, observations })) }
}

async fn send(up: &mpsc::Sender<wire::Up>, message: wire::Up) -> Result<(), StreamError> {
    up.send(message).await.map_err(|_| StreamError::Closed)
}

async fn drain_until_end(answers: &mut Streaming<wire::Down>) -> StreamError {
    loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return StreamError::Closed,
            Err(status) => return status.into(),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
