//! Sends the stored observations to the server for as long as the agent runs.
//!
//! It connects, sends until the stream ends for any reason, waits, and repeats. Every stream begins with the first
//! observation that the server has not acknowledged.

mod backoff;
mod nudge;
pub mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use yomitori_proto::id::Seq;

use crate::condition::ConditionBoard;
use crate::connect::{ConnectError, RejectedCertificate, Route};
use crate::identity::Identity;
use crate::identity::enrol::renew;
use crate::limit::Limit;
use crate::outlet::Outlet;
use crate::sent::{SentLog, SentMessage};
use crate::spool::{Spool, SpoolError};
use crate::{clock, connect, telemetry};
use backoff::Backoff;
use stream::{SpoolUploader, StreamError, StreamObserver};

/// How often the certificate's age is checked; a long timer would not count the hours in which a terminal slept.
const LOOK_AT_AGE: Duration = Duration::from_secs(3_600);

/// Why the uplink can't continue.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// The parts that the uplink uses.
pub struct Uplink {
    pub route: Arc<Route>,
    pub state_dir: PathBuf,
    pub identity: Identity,
    pub spool: Arc<Spool>,
    /// The highest number that is stored.
    pub kept: watch::Receiver<Seq>,
    pub sent: SentLog,
    /// Shows whether the server answers.
    pub board: Arc<ConditionBoard>,
    /// The limit that the server may lower, and the outlet for the report about it. Simulated terminals have none.
    pub limit: Option<(Arc<Limit>, Outlet)>,
}

impl Uplink {
    /// Sends until `closing`, and then, if connected, until everything stored is acknowledged.
    pub async fn run(mut self, closing: CancellationToken) -> Result<(), UplinkError> {
        let mut backoff = Backoff::default();
        // With a clock that is far ahead, even a new certificate seems old, so the renewal is not repeated at once.
        let mut next_renewal = Instant::now();
        self.board.certificate_until(self.identity.not_after());
        self.board.disconnected(self.sent.last_at());
        loop {
            let mut progressed = false;
            let again_in = match self.once(&closing, &mut progressed, next_renewal).await {
                Ok(Some(renewed)) => {
                    next_renewal = Instant::now() + LOOK_AT_AGE;
                    match renewed.store(&self.state_dir) {
                        Ok(()) => {
                            telemetry::certificate_renewed(renewed.days_left(clock::now()));
                            self.board.certificate_until(renewed.not_after());
                            self.identity = renewed;
                        }
                        // A full disk, for example. The present certificate is still good, and the next renewal tries again.
                        Err(error) => telemetry::renewal_failed(&error, self.identity.days_left(clock::now())),
                    }
                    Duration::ZERO
                }
                Ok(None) => return Ok(()),
                Err(StreamError::Spool(error)) => return Err(error.into()),
                Err(error) => {
                    if error.is_refusal() {
                        self.board.refused(clock::now());
                    } else {
                        self.board.disconnected(Some(clock::now()));
                    }
                    if let StreamError::Connect(ConnectError::Certificate { source, .. }) = &error
                        && let RejectedCertificate::Clock { offset, .. } = source
                    {
                        self.board.clock(Some(*offset));
                    }
                    let again_in = if error.is_refusal() {
                        Backoff::after_refusal(rand::random())
                    } else {
                        backoff.after(progressed, rand::random())
                    };
                    match &error {
                        StreamError::Sent(cause) => telemetry::sent_log_failed(cause),
                        _ => telemetry::disconnected(&error, again_in),
                    }
                    again_in
                }
            };
            tokio::select! {
                () = tokio::time::sleep(again_in) => {}
                () = closing.cancelled() => return Ok(()),
            }
        }
    }

    /// Uses one connection until it ends, until everything is done (`None`), or until there is a new certificate to
    /// continue with.
    async fn once(
        &mut self,
        closing: &CancellationToken,
        progressed: &mut bool,
        next_renewal: Instant,
    ) -> Result<Option<Identity>, StreamError> {
        let channel = tokio::select! {
            channel = connect::mutual(&self.route, &self.identity) => channel?,
            () = closing.cancelled() => return Ok(None),
        };
        let limit = self.limit.as_ref().map(|(limit, outlet)| (&**limit, outlet));
        let observer = StreamObserver { sent: &self.sent, board: &self.board, limit };
        let mut uploader = SpoolUploader::new(&self.identity, &self.spool, Some(observer)).with_way(self.route.way());
        let result = tokio::select! {
            ended = uploader.carry(channel.clone(), &mut self.kept, closing) => ended.map(|()| None),
            renewed = renew_when_due(channel.clone(), &self.identity, &self.sent, next_renewal) => renewed.map(Some),
        };
        *progressed = uploader.progressed();
        match result {
            // The certificate expired while the terminal was off, by the server's clock; the clock here may be wrong.
            Err(StreamError::Uncertified { .. }) => {
                self.sent.write(clock::now(), [SentMessage::Renewal])?;
                Ok(Some(renew(channel, &self.identity).await?))
            }
            result => result,
        }
    }
}

/// Waits until the certificate is due for renewal, and renews it.
async fn renew_when_due(
    channel: Channel,
    identity: &Identity,
    sent: &SentLog,
    from: Instant,
) -> Result<Identity, StreamError> {
    let jitter = rand::random();
    tokio::time::sleep_until(from).await;
    loop {
        let wait = identity.renewal_in(clock::now(), jitter);
        if wait.is_zero() {
            sent.write(clock::now(), [SentMessage::Renewal])?;
            match renew(channel.clone(), identity).await {
                Ok(renewed) => return Ok(renewed),
                Err(error) => telemetry::renewal_failed(&error, identity.days_left(clock::now())),
            }
            tokio::time::sleep(LOOK_AT_AGE).await;
        } else {
            tokio::time::sleep(wait.min(LOOK_AT_AGE)).await;
        }
    }
}
