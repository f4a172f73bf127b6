//! The stream of a terminal. Each batch is appended to the log, and acknowledged when the log has confirmed it.
//!
//! One batch at a time per terminal: a later batch must never reach the log before an earlier one, because the
//! projector recognises repetitions by the highest sequence number that it has folded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;
use yomitori_proto::encode;
use yomitori_proto::event::{Event, LogBody, LogRecord, Observation, TerminalConnected};
use yomitori_proto::id::{Life, Session};
use yomitori_proto::uplink::{Answer, Effect, Peer, Receiver, ReceiverSettings, Refusal, Settings};
use yomitori_proto::vocabulary::DisconnectReason;
use yomitori_proto::wire;

use crate::ingest::former::FormerObservations;
use crate::ingest::limits::Limits;
use crate::ingest::pace::Pace;
use crate::ingest::presence::Presence;
use crate::ingest::registry::TerminalRegistry;
use crate::ingest::service::uplink_server::Uplink;
use crate::ingest::tls::Caller;
use crate::ingest::unconfirmed::Unconfirmed;
use crate::log::kafka::Appender;
use crate::store::Store;
use crate::store::heard::Heard;
use crate::{clock, telemetry};
use yomitori_base::crash;

/// How long a batch is retried before the terminal has to reconnect later.
const APPEND_FOR: Duration = Duration::from_secs(30);
const APPEND_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// A stream that is silent for this long is dead: agents send keep-alives more often.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);
/// The interval at which an idle terminal sends a keep-alive, in seconds.
const KEEP_ALIVE_S: u32 = 30;
/// Observations in one batch; this many of the largest kind fit into one record of the log.
const BATCH_LIMIT: u32 = 2000;
/// How long a terminal has to read why its stream ends.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Answers that may wait for a terminal that does not read them.
const ANSWERS: usize = 16;

/// The uplink service.
pub struct UplinkService {
    pub registry: TerminalRegistry,
    pub appender: Arc<Appender>,
    pub presence: Presence,
    pub limits: Limits,
    pub pace: Arc<Pace>,
    pub unconfirmed: Unconfirmed,
    pub store: Store,
    pub stop: CancellationToken,
    /// Streams whose end is not recorded yet.
    pub open: TaskTracker,
}

#[tonic::async_trait]
impl Uplink for UplinkService {
    type CarryStream = ReceiverStream<Result<wire::Down, Status>>;

    async fn carry(&self, request: Request<Streaming<wire::Up>>) -> Result<Response<Self::CarryStream>, Status> {
        let caller = request.extensions().get::<Caller>().copied();
        let shown = caller
            .and_then(|caller| caller.shown)
            .ok_or_else(|| Status::unauthenticated("a terminal's certificate is required; enrol the terminal first"))?;
        if !shown.is_current(clock::now()) {
            return Err(Status::unauthenticated("the terminal's certificate has expired; renew it first"));
        }
        let peer = shown.peer;
        let mut registry = self.registry.clone();
        registry.admit(peer)?;
        if let Some(wait) = self.pace.stream(peer, Instant::now()) {
            let message = format!("the terminal connects too often; try again in {} s", wait.as_secs() + 1);
            return Err(Status::resource_exhausted(message));
        }
        let (answers, receiver) = mpsc::channel(ANSWERS);
        let stream = Stream {
            appender: Arc::clone(&self.appender),
            presence: self.presence.clone(),
            session: Session(Uuid::now_v7()),
            peer,
            answers,
            limits: self.limits.clone(),
            pace: Arc::clone(&self.pace),
            unconfirmed: self.unconfirmed.clone(),
            store: self.store.clone(),
            former: FormerObservations::default(),
            sent: None,
            life: None,
        };
        self.open.spawn(stream.run(request.into_inner(), registry, self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// One open stream.
struct Stream {
    appender: Arc<Appender>,
    presence: Presence,
    session: Session,
    peer: Peer,
    answers: mpsc::Sender<Result<wire::Down, Status>>,
    limits: Limits,
    pace: Arc<Pace>,
    unconfirmed: Unconfirmed,
    store: Store,
    /// What this terminal sent before it was enrolled again.
    former: FormerObservations,
    /// The settings that were last sent to the terminal; `None` until it has said that it accepts any.
    sent: Option<Option<Settings>>,
    /// Known after the greeting.
    life: Option<Life>,
}

/// Why a stream ended.
enum StreamEnd {
    Closed,
    Lost,
    Refused(Status),
    /// The terminal may not send any more.
    Revoked(Status),
}

impl Stream {
    async fn run(mut self, incoming: Streaming<wire::Up>, mut registry: TerminalRegistry, stop: CancellationToken) {
        let peer = self.peer;
        let end = tokio::select! {
            status = registry.refused(peer) => StreamEnd::Revoked(status),
            end = self.carry(incoming, stop) => end,
        };
        self.finish(end).await;
    }

    /// Carries what the terminal sends until the stream ends.
    async fn carry(&mut self, mut incoming: Streaming<wire::Up>, stop: CancellationToken) -> StreamEnd {
        let settings = ReceiverSettings { keep_alive_s: KEEP_ALIVE_S, batch_limit: BATCH_LIMIT };
        let mut receiver = Receiver::new(self.peer, self.session, settings);
        loop {
            let message = tokio::select! {
                () = self.limits.changed(), if self.sent.is_some() => match self.settle().await {
                    Ok(()) => continue,
                    Err(end) => break end,
                },
                () = stop.cancelled() => break StreamEnd::Refused(Status::unavailable("the server restarts")),
                message = tokio::time::timeout(SILENCE_LIMIT, incoming.message()) => message,
            };
            let message = match message {
                Ok(Ok(Some(message))) => message,
                Ok(Ok(None)) => break StreamEnd::Closed,
                Ok(Err(error)) if is_malformed(&error) => {
                    break StreamEnd::Refused(Status::invalid_argument("the message is not valid or is too large"));
                }
                Ok(Err(_)) | Err(_) => break StreamEnd::Lost,
            };
            let carried = match receiver.handle(message) {
                Ok(Some(effect)) => self.carry_out(&mut receiver, effect).await,
                Ok(None) => Ok(None),
                Err(refusal) => Err(StreamEnd::Refused(self.refuse(&refusal))),
            };
            let pause = match carried {
                Ok(pause) => pause,
                Err(end) => break end,
            };
            // What the terminal sends all the same waits on its side of the line.
            if let Some(pause) = pause
                && stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none()
            {
                break StreamEnd::Refused(Status::unavailable("the server restarts"));
            }
        }
    }

    /// Returns how long nothing more is read from the terminal.
    async fn carry_out(&mut self, receiver: &mut Receiver, effect: Effect) -> Result<Option<Duration>, StreamEnd> {
        let mut pause = None;
        let answer: Option<Answer> = match effect {
            Effect::Greet { hello, welcome } => {
                let former = FormerObservations::read(&self.store, self.peer, &hello).await.map_err(|error| {
                    telemetry::former_observations_not_read(self.peer, &error);
                    StreamEnd::Refused(Status::unavailable("the database is unavailable; retry later"))
                })?;
                let not_folded = || Status::unavailable("the enrolment is not folded yet; retry later");
                self.former = former.ok_or_else(|| StreamEnd::Refused(not_folded()))?;
                let connected = TerminalConnected {
                    terminal: self.peer.terminal,
                    session: self.session,
                    agent_version: hello.agent_version,
                    clock_offset_ms: (hello.sent_at - clock::now()).num_milliseconds(),
                    way: hello.way,
                };
                self.presence.connected(self.peer.facility, connected).await.map_err(|error| {
                    telemetry::append_failed(&error);
                    StreamEnd::Refused(Status::unavailable("the log is unavailable; retry later"))
                })?;
                self.life = Some(hello.life);
                telemetry::stream_opened(self.peer, self.session);
                self.answer(welcome).await?;
                if hello.takes_settings {
                    self.sent = Some(None);
                    self.settle().await?;
                }
                None
            }
            Effect::Append { mut observations, sent_at, through } => {
                let life = self.life.expect("the receiver greets before it takes a batch");
                pause = self.pace.observations(self.peer, observations.len(), Instant::now());
                self.former.remove_from(&mut observations);
                if !observations.is_empty() {
                    self.append(life, sent_at, observations).await?;
                }
                receiver.appended(through)
            }
            Effect::Answer(answer) => Some(answer),
            Effect::Present { last_kept, sent_at } => {
                let life = self.life.expect("the receiver greets before it takes a keep-alive");
                self.presence.heard(Heard { terminal: self.peer.terminal, life, last_kept, at: sent_at });
                None
            }
        };
        if let Some(answer) = answer {
            self.answer(answer).await?;
        }
        if let Some(pause) = pause {
            telemetry::slowed_down(self.peer, pause);
            self.answer(Answer::SlowDown { pause_ms: u32::try_from(pause.as_millis()).unwrap_or(u32::MAX) }).await?;
        }
        Ok(pause)
    }

    async fn answer(&self, answer: Answer) -> Result<(), StreamEnd> {
        let sent = tokio::time::timeout(SILENCE_LIMIT, self.answers.send(Ok(answer.into()))).await;
        sent.map_err(|_| StreamEnd::Lost)?.map_err(|_| StreamEnd::Lost)
    }

    /// Sends the terminal its collection limit if it differs from the last one sent.
    async fn settle(&mut self) -> Result<(), StreamEnd> {
        let settings = self.limits.of(self.peer.facility);
        let Some(settings) = settings.filter(|_| self.sent != Some(settings)) else { return Ok(()) };
        self.sent = Some(Some(settings));
        self.answer(Answer::Settings(settings)).await
    }

    async fn append(
        &self,
        life: Life,
        sent_at: chrono::DateTime<chrono::Utc>,
        observations: Vec<Observation>,
    ) -> Result<(), StreamEnd> {
        let count = observations.len();
        let unknown = observations.iter().filter(|one| matches!(one.event, Event::UnknownKind(_))).count();
        let body = LogBody::Terminal { terminal: self.peer.terminal, life, sent_at, observations };
        let facility = self.peer.facility;
        // Only the bytes are held while the log is away.
        let record = encode::log_record_bytes(&LogRecord { facility, received_at: clock::now(), body });
        let Some(_held) = self.unconfirmed.hold(record.len()) else {
            telemetry::batch_not_held(self.peer);
            return Err(StreamEnd::Refused(Status::unavailable("the log is behind; retry later")));
        };
        let began = Instant::now();
        crash::point("before-append");
        while let Err(error) = self.appender.append_encoded(facility, &record).await {
            telemetry::append_failed(&error);
            if began.elapsed() > APPEND_FOR {
                return Err(StreamEnd::Refused(Status::unavailable("the log is unavailable; retry later")));
            }
            tokio::time::sleep(APPEND_AGAIN_AFTER).await;
        }
        crash::point("after-append");
        telemetry::batch_accepted(count, began.elapsed());
        if unknown > 0 {
            telemetry::unknown_kinds_accepted(unknown);
        }
        Ok(())
    }

    fn refuse(&self, refusal: &Refusal) -> Status {
        telemetry::stream_refused(self.peer, refusal);
        match refusal {
            Refusal::NotYou => Status::permission_denied(refusal.to_string()),
            _ => Status::invalid_argument(refusal.to_string()),
        }
    }

    async fn finish(self, end: StreamEnd) {
        let (reason, why) = match &end {
            StreamEnd::Closed => (DisconnectReason::Closed, "closed"),
            StreamEnd::Lost => (DisconnectReason::Lost, "lost"),
            StreamEnd::Refused(_) => (DisconnectReason::Closed, "rejected"),
            StreamEnd::Revoked(_) => (DisconnectReason::Revoked, "refused"),
        };
        // First of all: a terminal that does not read its answers may hold up what follows.
        self.presence.disconnected(self.session, reason);
        if self.life.is_some() {
            telemetry::stream_closed(self.peer, self.session, why);
        }
        if let StreamEnd::Refused(status) | StreamEnd::Revoked(status) = end {
            // The terminal may have disconnected already, or not read what was sent before.
            tokio::time::timeout(ANSWER_LIMIT, self.answers.send(Err(status))).await.ok();
        }
    }
}

/// Whether invalid bytes arrived, in contrast to a lost connection.
fn is_malformed(error: &Status) -> bool {
    matches!(error.code(), Code::Internal | Code::OutOfRange | Code::Unimplemented)
}
