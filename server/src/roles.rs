//! Runs the parts of the server side by side, and ends them in order.
//!
//! A second process can take over all the work of the first, so the parts can be spread over machines.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use yomitori_proto::id::Instance;

use crate::config::{self, Config};
use crate::identity::Authority;
use crate::identity::server::ServerCertificate;
use crate::ingest::admission::{Admission, AdmissionLimits};
use crate::ingest::operator::Operator;
use crate::ingest::service::{enrolment_server::EnrolmentServer, uplink_server::UplinkServer};
use crate::ingest::{
    enrol::EnrolService, limits, presence::Presence, registry, tls, unconfirmed::Unconfirmed, uplink::UplinkService,
};
use crate::log::installation;
use crate::log::kafka::Appender;
use crate::projector;
use crate::store::{Store, StoreError, authority, installation as installations};
use crate::web::{self, Observed, PageStores};
use crate::{clock, files, log_health, telemetry};
use yomitori_base::stop;

/// A part of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Role {
    /// Receives what terminals send.
    Ingest,
    /// Folds the log into the database.
    Projector,
    /// Serves the pages and the API.
    Web,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Projector, Self::Web];
}

/// The limit of one message of a terminal: the largest batch has 600 KB, and the log accepts no record above 1 MB.
const MESSAGE_LIMIT: usize = 1 << 20;
/// Enough for a token and a certificate request. A client without a certificate can make the server hold no more.
const ENROLMENT_LIMIT: usize = 16 << 10;
/// A terminal has one stream, and occasionally renews its certificate beside it.
const STREAMS_LIMIT: u32 = 8;
/// What a terminal may send before the server has read it, on one stream and in all: room for the batches of a healthy
/// terminal, and little enough for all terminals at once while nothing is read.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Longer than the interval of a healthy terminal's keep-alives, so that only an unhealthy one is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(45);
const KEEP_ALIVE_LIMIT: Duration = Duration::from_secs(30);
/// How long streams have to record their end after a stop signal.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How often the age of the server's certificate is looked at.
const RENEW_EVERY: Duration = Duration::from_secs(3600);
/// How often it is looked whether the database has been migrated meanwhile.
const SCHEMA_EVERY: Duration = Duration::from_secs(5);
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Runs these parts until the process receives a stop signal or one of them fails.
///
/// # Errors
/// If an address cannot be opened, the schema has another version, or a part ended.
pub async fn serve(config: Config, roles: &[Role]) -> anyhow::Result<()> {
    let names: Vec<String> = roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect();
    telemetry::started(env!("CARGO_PKG_VERSION"), &names.join(","));
    let metrics = telemetry::recorder::install();
    let store = Store::open(&config.database)?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        stop::requested().await;
        telemetry::stopping();
        stopping.cancel();
    });

    // Histograms grow until they are drained, and perhaps no one ever requests the metrics.
    let (upkeep, stopped) = (metrics.clone(), stop.clone());
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(UPKEEP_EVERY);
        while stopped.run_until_cancelled(tick.tick()).await.is_some() {
            upkeep.run_upkeep();
        }
    });

    // Addresses first: early clients find an open socket, and a port that is in use is reported at once.
    let agents = if roles.contains(&Role::Ingest) { Some(open(config.agents.listen, "agents").await?) } else { None };
    let pages = if roles.contains(&Role::Web) { Some(open(config.web.listen, "web").await?) } else { None };
    if !schema_is_right(&store, &stop).await? {
        return Ok(());
    }

    let mut parts = JoinSet::new();
    parts.spawn(named("schema", schema_stays(store.clone(), stop.clone())));
    parts.spawn(named("installation", topic_is_ours(store.clone(), config.kafka.clone(), stop.clone())));
    if let Some(listener) = agents {
        parts.spawn(named("ingest", ingest(config.clone(), listener, store.clone(), stop.clone())));
    }
    if roles.contains(&Role::Projector) {
        let history = projector::history_builder::run(store.clone(), stop.clone());
        parts.spawn(named("status history", async move {
            history.await;
            Ok(())
        }));
        let (store, kafka, stop) = (store.clone(), config.kafka.clone(), stop.clone());
        parts.spawn(named("projector", async move {
            projector::run(store, kafka, stop).await;
            Ok(())
        }));
    }
    if let Some(listener) = pages {
        let appender = Arc::new(Appender::open(&config.kafka).context("failed to open the log")?);
        let stores = PageStores::of(&store)?;
        let health = log_health::watch(Arc::clone(&appender), config.kafka.clone(), store.clone(), stop.clone());
        let operator = Operator::new(appender, stores.pages.clone());
        let served = web::serve(listener, stores, operator, Observed { metrics, log: health }, stop.clone());
        parts.spawn(named("web", async move { served.await.context("failed to serve pages") }));
    }
    let mut failed = Ok(());
    while let Some(ended) = parts.join_next().await {
        // A part that ended ends the others: half a server is worse than one that is restarted.
        stop.cancel();
        failed = failed.and(ended.context("failed to run")?);
    }
    failed
}

async fn named(role: &'static str, part: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    part.await.inspect_err(|error| telemetry::role_ended(role, error.as_ref()))
}

async fn open(address: std::net::SocketAddr, what: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("failed to listen on {address} for {what} (is another server running? change `{what}.listen`)")
    })?;
    telemetry::listening(what, listener.local_addr().unwrap_or(address));
    Ok(listener)
}

/// Waits for the database; a schema of another version fails at once.
async fn schema_is_right(store: &Store, stop: &CancellationToken) -> anyhow::Result<bool> {
    loop {
        match store.check_schema().await {
            Ok(()) => return Ok(true),
            Err(error @ (StoreError::Schema { .. } | StoreError::NewerSchema { .. })) => return Err(error.into()),
            Err(error) => telemetry::waiting_for("the database", &error),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(START_AGAIN_AFTER) => {}
        }
    }
}

/// Ends with an error once a newer program has migrated the database: this one does not know what it would read and write.
async fn schema_stays(store: Store, stop: CancellationToken) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(SCHEMA_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error @ StoreError::NewerSchema { .. }) = store.check_schema().await {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Ends with an error if the topic belongs to another installation; asks until Kafka answers.
async fn topic_is_ours(store: Store, kafka: config::Kafka, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let asked = async { anyhow::Ok((installation::owner(&kafka).await?, installations::id(&store).await?)) };
        match asked.await {
            Ok((owner, own)) => {
                if let Some(foreign) = installation::foreign(&kafka, owner, own) {
                    return Err(foreign.into());
                }
                stop.cancelled().await;
                return Ok(());
            }
            Err(error) => telemetry::waiting_for("the owner of the topic", &*error),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(SCHEMA_EVERY) => {}
        }
    }
}

/// Renews the server's certificate in time.
async fn renew(certificate: Arc<ServerCertificate>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(RENEW_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let now = clock::now();
        match certificate.renew(now) {
            Ok(ends) => telemetry::server_certificate_ends(ends, now),
            Err(error) => telemetry::server_certificate_not_renewed(&error),
        }
    }
}

async fn ingest(config: Config, listener: TcpListener, store: Store, stop: CancellationToken) -> anyhow::Result<()> {
    let authority = Arc::new(Authority::open(&config.state_dir)?);
    authority.check(&config.state_dir, authority::fingerprint(&store).await?.as_deref())?;
    let certificate =
        Arc::new(ServerCertificate::issue(Arc::clone(&authority), config.agents.names.clone(), clock::now())?);
    let tls = certificate.tls()?;
    tokio::spawn(renew(certificate, stop.clone()));
    let appender = Arc::new(Appender::open(&config.kafka).context("failed to open the log")?);
    let operator = Operator::new(Arc::clone(&appender), store.clone());
    let instance = Instance(Uuid::now_v7());
    let open = TaskTracker::new();
    let presence = Presence::start(store.clone(), operator.clone(), instance, &stop);

    let files = files::raise_limit();
    telemetry::file_limit(files);
    let admission = Admission::new(AdmissionLimits::of(files));
    let line = UplinkService {
        registry: registry::open(store.clone(), admission.clone(), stop.clone()).await?,
        appender: Arc::clone(&appender),
        presence: presence.clone(),
        limits: limits::watch(store.clone(), stop.clone()),
        pace: Arc::default(),
        unconfirmed: Unconfirmed::new(config.agents.unconfirmed_mib),
        store: store.clone(),
        stop: stop.clone(),
        open: open.clone(),
    };
    let line = UplinkServer::new(line).max_decoding_message_size(MESSAGE_LIMIT);
    let desk = EnrolmentServer::new(EnrolService { store: store.clone(), authority, operator })
        .max_decoding_message_size(ENROLMENT_LIMIT);
    let served = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_LIMIT))
        .max_concurrent_streams(STREAMS_LIMIT)
        .initial_stream_window_size(Some(STREAM_WINDOW))
        .initial_connection_window_size(Some(CONNECTION_WINDOW))
        .add_service(line)
        .add_service(desk)
        .serve_with_incoming_shutdown(
            tls::accept(listener, tls, admission, stop.clone()),
            stop.clone().cancelled_owned(),
        );
    tokio::select! {
        served = served => served.context("failed to serve terminals")?,
        // A connection that never ends must not prevent the server from stopping.
        () = async { stop.cancelled().await; tokio::time::sleep(STOP_LIMIT).await } => {}
    }
    stop.cancel();
    open.close();
    tokio::time::timeout(STOP_LIMIT, open.wait()).await.ok();
    presence.finish(STOP_LIMIT).await;
    tokio::task::spawn_blocking(move || appender.flush()).await.context("failed to flush the log")
}
