//! A server under attack, and an honest terminal at work. After every attack the server is alive, answers and has not
//! panicked, and the honest terminal's next observation reaches the database.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use tokio_postgres::Client;
use uuid::Uuid;
use yomitori_proto::event::{LogBody, LogRecord};
use yomitori_proto::id::{FacilityId, Life, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_proto::wire::{self, up};
use yomitori_proto::{decode, time};

use super::credential::{Credential, Signer, Wish};
use super::stranger::{Answer, CARRY, Line, said};
use crate::world::agent::{self, Agent};
use crate::world::server::{self, Server};
use crate::world::{World, wait};
use yomitori_simulation::clock;

/// The facility of the honest terminal.
pub const HONEST: &str = "1319999015";
/// Another facility of the same group.
pub const VICTIM: &str = "1319999023";

/// See the head of this file.
#[derive(Debug)]
pub struct Siege {
    pub world: World,
    pub server: Server,
    pub store: Client,
    honest: Agent,
    observed: u32,
}

impl Siege {
    /// Starts a server with two facilities, and an honest terminal in one of them.
    ///
    /// # Errors
    /// If a part doesn't start.
    pub async fn begin(test: &str) -> Result<Self> {
        Self::begin_in(World::new(test).await?, server::Plan::default()).await
    }

    /// The same in a world that exists already.
    ///
    /// # Errors
    /// If a part doesn't start.
    pub async fn begin_in(world: World, plan: server::Plan) -> Result<Self> {
        let server = Server::start(&world, plan).await?;
        server.import(&format!("code,name\n{HONEST},正直な医院\n{VICTIM},狙われた医院\n")).await?;
        // An import reports "accepted" if the projection takes longer than a person waits.
        for code in [HONEST, VICTIM] {
            wait::until("the facility", Duration::from_secs(60), async || server.facility(code).await).await?;
        }
        let honest = Agent::start(&world, &server, HONEST, agent::Plan::default()).await?;
        let store = world.store().await?;
        let mut siege = Self { world, server, store, honest, observed: 0 };
        siege.holds().await?;
        Ok(siege)
    }

    /// Verifies that the server has withstood the attack.
    ///
    /// # Errors
    /// If the server has not.
    pub async fn holds(&mut self) -> Result<()> {
        self.server.process()?.alive()?;
        self.observed += 1;
        let name = format!("OQSsiquc01res_face_1_{}.xml", self.observed);
        std::fs::write(self.honest.face.join(name), "<XmlMsg/>").context("write a result")?;
        let count = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = 'linkage_result_observed'";
        let (store, observed, process) = (&self.store, i64::from(self.observed), self.honest.process()?);
        wait::until("the honest terminal's observation in the database", Duration::from_secs(60), async || {
            process.alive()?;
            let seen: i64 = store.query_one(count, &[&FacilityId::of_code(HONEST).0]).await?.get(0);
            ensure!(seen == observed, "{seen} of {observed} are there");
            Ok(())
        })
        .await
        .map_err(|error| process.explain(error))?;
        self.server.ready().await?;
        ensure!(!self.server.log().contains("panicked"), "the server panicked:\n{}", self.server.log());
        Ok(())
    }

    /// The decoded log; every record that the server itself appended must decode.
    ///
    /// # Errors
    /// If Kafka doesn't answer, or a record is invalid.
    pub async fn log(&self) -> Result<Vec<LogRecord>> {
        let records = self.world.records().await?;
        records.iter().map(|record| decode::log_record(&record.value).context("a record of the log")).collect()
    }

    /// The number of parked records.
    ///
    /// # Errors
    /// If PostgreSQL doesn't answer.
    pub async fn parked(&self) -> Result<i64> {
        Ok(self.store.query_one("SELECT count(*) FROM projection.parked", &[]).await?.get(0))
    }
}

/// A terminal with a valid certificate and an attacker's program.
#[derive(Debug)]
pub struct Intruder {
    pub peer: Peer,
    pub life: Life,
    pub credential: Credential,
    pub line: Line,
}

impl Intruder {
    /// A terminal that is enrolled for the facility with `code`.
    ///
    /// # Errors
    /// If the server rejects it.
    pub async fn enter(siege: &Siege, code: &str) -> Result<Self> {
        let signer = Signer::of(&siege.world)?;
        let peer = Peer { terminal: TerminalId(Uuid::now_v7()), facility: FacilityId::of_code(code) };
        let credential = signer.sign(&Wish::terminal(peer))?;
        let line = Line::open(&siege.server.uplink, &signer.certificate, Some(&credential)).await?;
        Ok(Self { peer, life: Life(Uuid::new_v4()), credential, line })
    }

    /// Connects again, as after a restart of the server.
    ///
    /// # Errors
    /// If the server rejects it.
    pub async fn reconnect(&mut self, siege: &Siege) -> Result<()> {
        let authority = Signer::of(&siege.world)?.certificate;
        self.line = Line::open(&siege.server.uplink, &authority, Some(&self.credential)).await?;
        Ok(())
    }

    /// A valid `Hello`.
    #[must_use]
    pub fn hello(&self) -> wire::Hello {
        wire::Hello {
            terminal: self.peer.terminal.to_bytes(),
            facility: self.peer.facility.to_bytes(),
            life: self.life.to_bytes(),
            first_unacknowledged: 1,
            agent_version: "0.1.0".to_owned(),
            sent_at_us: time::to_micros(clock::now()),
            way: 0,
            takes_settings: false,
            former: Vec::new(),
        }
    }

    /// Sends these messages on one stream, and receives the answers.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn say(&self, messages: impl IntoIterator<Item = up::Message>) -> Result<Answer> {
        let messages: Vec<_> = messages.into_iter().map(|message| wire::Up { message: Some(message) }).collect();
        self.line.ask(CARRY, said(&messages)).await
    }

    /// The observations of this terminal in `log`, in order.
    #[must_use]
    pub fn observations(&self, log: &[LogRecord]) -> Vec<u64> {
        let mine = log.iter().filter_map(|record| match &record.body {
            LogBody::Terminal { terminal, observations, .. } if *terminal == self.peer.terminal => Some(observations),
            LogBody::Terminal { .. } | LogBody::Statement { .. } => None,
        });
        mine.flatten().map(|observation| observation.seq.0).collect()
    }
}

/// A batch after `after` with observations of `event` at these numbers, now.
#[must_use]
pub fn batch(after: u64, numbers: impl IntoIterator<Item = u64>, event: &wire::Event) -> wire::Batch {
    let now = time::to_micros(clock::now());
    let observation =
        |seq| wire::Observation { seq, occurred_at_us: now, observed_at_us: now, event: event.encode_to_vec() };
    wire::Batch { after, sent_at_us: now, observations: numbers.into_iter().map(observation).collect() }
}
