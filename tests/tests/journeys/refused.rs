//! A record or a row that PostgreSQL refuses blocks its facility and no other.
//!
//! No value that our doors accept is refused by the real tables; the tests therefore give the tables a constraint of their
//! own, which refuses a name. What a name of any length does is tried without it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yomitori_proto::event::{Event, FacilityRegistered, LogBody, LogRecord, Origin, Stated};
use yomitori_proto::id::FacilityId;
use yomitori_simulation::clock;
use yomitori_simulation::log::Writer;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

/// The name that the constraint refuses.
const REFUSED: &str = "断られる医院";
/// Of this many facilities.
const FACILITIES: usize = 40;

struct Fleet {
    world: World,
    server: Server,
}

impl Fleet {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        Ok(Self { world, server })
    }

    /// Writes registrations directly into the log, as a server of another version might, in one go.
    fn register(&self, names: impl IntoIterator<Item = (usize, String)>) -> Result<()> {
        let mut writer = Writer::open(&self.world.kafka.address, &self.world.topic)?;
        for (number, name) in names {
            let code = code(number);
            let event: Event = FacilityRegistered {
                name,
                prefecture: "13".to_owned(),
                codes: vec![code.clone()],
                address: None,
                moved_at: None,
                correction: false,
            }
            .into();
            let origin = Origin::Person(Stated { by: "x".to_owned(), why: None, stated_at: clock::now(), id: None });
            let body = LogBody::Statement { origin, event };
            writer.append(&LogRecord { facility: FacilityId::of_code(&code), received_at: clock::now(), body })?;
        }
        writer.flush()?;
        Ok(())
    }

    /// From now on PostgreSQL refuses a row with this name, as it would refuse a value that it can't hold.
    async fn refuse(&self) -> Result<()> {
        // A row of before stays as it is.
        let add = format!(
            "ALTER TABLE projection.facility_row ADD CONSTRAINT refusal \
             CHECK (name NOT LIKE '{REFUSED}%' OR folded_at < '{}')",
            clock::now().to_rfc3339()
        );
        Ok(self.world.store().await?.batch_execute(&add).await?)
    }

    async fn accept(&self) -> Result<()> {
        let drop = "ALTER TABLE projection.facility_row DROP CONSTRAINT refusal";
        Ok(self.world.store().await?.batch_execute(drop).await?)
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.server.run(&[arguments, &["--format", "json"]].concat()).await?)?)
    }

    async fn shown(&self, count: usize) -> Result<()> {
        let store = self.world.store().await?;
        wait::until(&format!("{count} facilities"), PATIENCE, async || {
            let found: i64 = store.query_one("SELECT count(*) FROM projection.facility_row", &[]).await?.get(0);
            ensure!(usize::try_from(found)? == count, "{found} of {count}");
            Ok(())
        })
        .await
    }

    /// Waits until only this facility is parked, with this number of records, because PostgreSQL refuses it.
    async fn parked(&self, number: usize, records: i64) -> Result<()> {
        wait::until("the refused facility to be parked", PATIENCE, async || {
            let found = self.json(&["parked", "list"]).await?;
            let reason = found[0]["reason"].as_str().unwrap_or_default();
            ensure!(found[0]["records"] == records && found[1].is_null(), "{found:#}");
            ensure!(found[0]["facility_id"] == FacilityId::of_code(&code(number)).to_string(), "{found:#}");
            ensure!(reason.starts_with("store: ") && reason.contains("refusal"), "{found:#}");
            ensure!(
                !reason.contains(REFUSED) && !self.server.log().contains(REFUSED),
                "the reason contains the row: {reason}"
            );
            Ok(())
        })
        .await
    }
}

fn code(number: usize) -> String {
    format!("131{number:07}")
}

fn names() -> impl Iterator<Item = (usize, String)> {
    (0..FACILITIES).map(|number| (number, format!("{number}番医院")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_blocks_its_facility_and_no_other() -> Result<()> {
    let fleet = Fleet::open("refused-live").await?;
    fleet.refuse().await?;
    let with_bad = names().map(|(number, name)| (number, if number == 17 { REFUSED.to_owned() } else { name }));
    fleet.register(with_bad)?;
    fleet.shown(FACILITIES - 1).await?;
    fleet.parked(17, 1).await?;
    fleet.register([(17, format!("{REFUSED}二")), (3, "三番の新しい名".to_owned())])?;
    fleet.parked(17, 2).await?;
    wait::until("another facility's new name", PATIENCE, async || {
        let other = fleet.server.facility(&code(3)).await?;
        ensure!(other["facility"]["name"] == "三番の新しい名", "{other:#}");
        Ok(())
    })
    .await?;
    fleet.server.run(&["log", "verify"]).await?;

    // Its code is not known, since its registration is what is blocked.
    let blocked = FacilityId::of_code(&code(17)).to_string();
    // It stays so over a retry and a rebuild, and is folded in its order once the tables hold it.
    fleet.json(&["parked", "retry", &blocked]).await?;
    fleet.parked(17, 2).await?;
    fleet.server.run(&["rebuild"]).await?;
    fleet.server.run(&["rebuild", "swap"]).await?;
    fleet.parked(17, 2).await?;
    fleet.shown(FACILITIES - 1).await?;
    fleet.accept().await?;
    fleet.json(&["parked", "retry", &blocked]).await?;
    fleet.server.nothing_waits().await?;
    let late = fleet.server.facility(&code(17)).await?;
    ensure!(late["facility"]["name"] == format!("{REFUSED}二"), "{late:#}");
    fleet.server.run(&["log", "verify"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_that_is_due_holds_up_no_other() -> Result<()> {
    let fleet = Fleet::open("refused-due").await?;
    fleet.register(names().chain([(FACILITIES, REFUSED.to_owned())]))?;
    fleet.shown(FACILITIES + 1).await?;
    fleet.refuse().await?;
    let store = fleet.world.store().await?;
    let count = "SELECT count(*) FILTER (WHERE folded_at > $1), \
                        bool_and(due_at > $1 + interval '50 minutes') FILTER (WHERE name LIKE '断%') \
                 FROM projection.facility_row";
    let at = clock::now();
    store.execute("UPDATE projection.facility_row SET due_at = $1", &[&at]).await.context("let all be due")?;
    wait::until("all others to be recomputed", PATIENCE, async || {
        let row = store.query_one(count, &[&at]).await?;
        let (recomputed, deferred): (i64, bool) = (row.get(0), row.get(1));
        ensure!(usize::try_from(recomputed)? == FACILITIES && deferred, "{recomputed}, deferred: {deferred}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_any_length_stops_nobody() -> Result<()> {
    let fleet = Fleet::open("refused-name").await?;
    // As many different kanji as the contract lets into the log; an index entry of PostgreSQL holds some 900.
    let long: String = (0x4E00..0x4E00 + 2000).filter_map(char::from_u32).collect();
    fleet.register([(0, "となりの医院".to_owned()), (1, long.clone()), (2, "むかいの医院".to_owned())])?;
    fleet.shown(3).await?;
    fleet.server.nothing_waits().await?;
    let row = fleet.world.store().await?;
    let query = "SELECT char_length(name) FROM projection.facility_row WHERE facility_id = $1";
    let shown: i32 = row.query_one(query, &[&FacilityId::of_code(&code(1)).0]).await?.get(0);
    ensure!(shown == 200, "{shown}");
    // What people type is refused with the limit.
    let refused = fleet.server.run(&["facility", "register", "--code", &code(4), "--name", &long, "--by", "x"]).await;
    let error = refused.err().context("the name was accepted")?.to_string();
    ensure!(error.contains("200"), "{error}");
    Ok(())
}
