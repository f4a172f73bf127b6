//! Facts that no regular entry point allows: a terminal that was heard weeks ago and not since, and a record that can't
//! be decoded. Both are written directly into the log, where the server would have written them.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use chrono::{DateTime, Days, Utc};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use uuid::Uuid;
use yomitori_proto::event::{LogBody, LogRecord, Observation, Origin, Recorded};
use yomitori_proto::id::{FacilityId, Life};
use yomitori_server::config::Config;

use super::story;
use crate::fleet::clinic::Terminal;
use crate::fleet::roster::Member;
use crate::log::Writer;
use crate::truth::day::Living;
use crate::truth::transport;

/// Days of silence before now.
const SILENT_DAYS: u64 = 14;
/// No message of the contract begins like this.
const GARBAGE: &[u8] = b"\xff\xff\xff\xff";

/// The address and topic of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    address: String,
    topic: String,
}

impl Log {
    /// The log of the server with this configuration.
    ///
    /// # Errors
    /// If the configuration can't be read.
    pub fn of(config: &Path) -> Result<Self> {
        let config = Config::load(config, |_| None).map_err(|error| anyhow!("{error}"))?;
        Ok(Self { address: config.kafka.bootstrap_servers, topic: config.kafka.topic })
    }

    /// Appends an invalid record for `facility`.
    ///
    /// # Errors
    /// If the log doesn't accept it.
    pub async fn damage(&self, facility: FacilityId) -> Result<()> {
        self.write(move |writer| writer.append_bytes(facility, GARBAGE)).await.context("damage a record")
    }

    /// Appends the records of `member`'s terminal until its silence, with their original times.
    ///
    /// # Errors
    /// If the log doesn't accept it.
    pub async fn silent(&self, member: &Member, seed: u64, now: DateTime<Utc>) -> Result<()> {
        let (terminal, facility) = (member.identity.terminal(), member.identity.facility());
        let life = Life(Uuid::new_v5(&terminal.0, b"before the silence"));
        let who = Terminal { index: member.index, code: member.code, terminal, life };
        let seed = story::own_seed(seed, member.index);
        self.write(move |writer| {
            let (site, assumptions) = (story::site(seed, &who), story::assumptions());
            let mut living = Living::new(site.clone(), assumptions.clone(), seed);
            let first = story::first_day(now);
            let last = crate::truth::calendar::date(now) - Days::new(SILENT_DAYS);
            let mut days: Vec<_> = first.iter_days().take_while(|day| *day < last).map(|day| living.day(day)).collect();
            let mut rng = StdRng::seed_from_u64(seed);
            for arrived in transport::carry(&site, &assumptions, &mut days, &mut rng) {
                writer.append(&record(Recorded { facility, ..arrived.recorded }))?;
            }
            Ok(())
        })
        .await
        .context("append the past of a silent clinic")
    }

    async fn write(&self, what: impl FnOnce(&mut Writer) -> Result<()> + Send + 'static) -> Result<()> {
        let Self { address, topic } = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let mut writer = Writer::open(&address, &topic)?;
            what(&mut writer)?;
            writer.flush().map(drop)
        });
        writing.await.context("the writer panicked")?
    }
}

fn record(recorded: Recorded) -> LogRecord {
    let Recorded { facility, received_at, origin, event } = recorded;
    let body = match origin {
        Origin::Terminal(observed) => LogBody::Terminal {
            terminal: observed.terminal,
            life: observed.life,
            sent_at: observed.sent_at,
            observations: vec![Observation {
                seq: observed.seq,
                occurred_at: observed.occurred_at,
                observed_at: observed.observed_at,
                event,
            }],
        },
        origin @ (Origin::Person(_) | Origin::Server { .. } | Origin::List { .. }) => {
            LogBody::Statement { origin, event }
        }
    };
    LogRecord { facility, received_at, body }
}
