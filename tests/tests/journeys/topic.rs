//! The topic is the history. A topic that lost its end, has other partitions, belongs to another installation or deletes
//! facts by its settings is recognised, and nothing of it is skipped.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rustix::process::Signal;
use yomitori_proto::id::FacilityId;
use yomitori_tests::world::second_broker::SecondBroker;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{World, segment};

const STOPS_WITHIN: Duration = Duration::from_secs(15);
/// In different partitions, which `partition` finds.
const CODES: [&str; 6] = ["1319999015", "1319999023", "1319999031", "1319999049", "1319999056", "1319999064"];

struct Fleet {
    server: Server,
    world: World,
}

impl Fleet {
    async fn open(world: World) -> Result<Self> {
        let server = Server::start(&world, Plan::default()).await?;
        let rows: String = CODES.iter().map(|code| format!("{code},第{code}医院,東京都\n")).collect();
        server.import(&format!("code,name,prefecture\n{rows}")).await?;
        let fleet = Self { server, world };
        fleet.folded(CODES.len() as i64).await?;
        Ok(fleet)
    }

    /// Waits until this many facts of facilities are in the store.
    async fn folded(&self, facts: i64) -> Result<()> {
        wait::until("the facts", PATIENCE, async || {
            let found = self.facts().await?;
            ensure!(found == facts, "{found} of {facts}");
            Ok(())
        })
        .await
    }

    async fn facts(&self) -> Result<i64> {
        let store = self.world.store().await?;
        Ok(store
            .query_one("SELECT count(*) FROM projection.fact WHERE facility_id <> $1", &[&FacilityId::FLEET.0])
            .await?
            .get(0))
    }

    async fn partition(&self, code: &str) -> Result<i32> {
        let store = self.world.store().await?;
        let query = "SELECT DISTINCT partition FROM projection.fact WHERE facility_id = $1";
        Ok(store.query_one(query, &[&FacilityId::of_code(code).0]).await?.get(0))
    }

    /// A facility in another partition.
    async fn elsewhere(&self, partition: i32) -> Result<&'static str> {
        for code in CODES {
            if self.partition(code).await? != partition {
                return Ok(code);
            }
        }
        anyhow::bail!("all facilities are in one partition")
    }

    /// Plans a maintenance window: a fact in the facility's partition.
    async fn state(&self, code: &str) -> Result<String> {
        let span = ["--from", "2026-05-01", "--to", "2026-05-02", "--by", "x", "--why", "works"];
        self.server.run(&[&["maintenance", "set", "--facility", code][..], &span].concat()).await
    }

    async fn stop(&mut self) -> Result<()> {
        self.server.process()?.terminate(STOPS_WITHIN).await?;
        Ok(())
    }

    async fn says(&self, what: &str) -> Result<()> {
        wait::until(what, PATIENCE, async || {
            ensure!(self.server.log().contains(what), "{}", self.server.log());
            Ok(())
        })
        .await
    }

    /// Waits until `/healthz` has this status, and says this of the log.
    async fn health(&self, status: &str, says: &str) -> Result<()> {
        wait::until(&format!("health to be {status}"), PATIENCE, async || {
            let health: serde_json::Value = reqwest::get(format!("{}/healthz", self.server.web)).await?.json().await?;
            ensure!(health["status"] == status && health["log"]["error"].to_string().contains(says), "{health:#}");
            Ok(())
        })
        .await
    }

    /// What `check` prints; it must fail.
    async fn check_fails(&self) -> Result<String> {
        let output = self.server.try_run(&["check"]).await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(!output.status.success(), "{said}");
        Ok(said)
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        ClientConfig::new().set("bootstrap.servers", &self.world.kafka.address).create().context("make an admin client")
    }

    async fn set(&self, setting: &str, value: &str) -> Result<()> {
        let admin = self.admin()?;
        let change = AlterConfig::new(ResourceSpecifier::Topic(&self.world.topic)).set(setting, value);
        let answers = admin.alter_configs([&change], &AdminOptions::new()).await.context("change the topic")?;
        answers.into_iter().next().context("an answer")?.map_err(|(_, code)| anyhow::anyhow!("{code:?}"))?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_lost_its_end_is_paused_and_the_others_go_on() -> Result<()> {
    let mut fleet = Fleet::open(World::with_own_services("topic-tail").await?).await?;
    let short = CODES[0];
    let partition = fleet.partition(short).await?;
    let elsewhere = fleet.elsewhere(partition).await?;
    fleet.state(short).await?;
    fleet.folded(CODES.len() as i64 + 1).await?;
    fleet.stop().await?;
    fleet.world.kafka.service.stop().await?;
    segment::cut_tail(fleet.world.folder(), &fleet.world.topic, partition, 1)?;
    fleet.world.kafka.service.restart().await?;

    ensure!(fleet.check_fails().await?.contains(&format!("partition {partition} of the log ends at")));
    fleet.server.launch()?;
    fleet.says(&format!("partition {partition} of the log ends at")).await?;
    let before = fleet.facts().await?;
    // The first grows the short partition to its old length; the next ones lie behind it. None of them is called shown.
    let said = fleet.state(short).await?;
    ensure!(said.contains("accepted") && !said.contains("now:"), "{said}");
    fleet.state(short).await?;
    fleet.state(elsewhere).await?;
    fleet.folded(before + 1).await?;
    fleet.says("is not the one that was folded").await?;
    ensure!(fleet.facts().await? == before + 1, "a record of the short partition was folded");
    ensure!(fleet.check_fails().await?.contains("is not the one that was folded"));
    let metrics = reqwest::get(format!("{}/metrics", fleet.server.web)).await?.text().await?;
    ensure!(metrics.contains("fleet_server_partitions_paused 1"), "{metrics}");
    fleet.health("log_changed", "is not the one that was folded").await?;

    fleet.server.run(&["rebuild", "--facts"]).await?;
    fleet.server.run(&["rebuild", "swap"]).await?;
    fleet.health("ok", "null").await?;
    // All that is in the log: what was lost is gone, and the three statements after it are there.
    fleet.folded(CODES.len() as i64 + 3).await?;
    fleet.state(short).await?;
    fleet.folded(CODES.len() as i64 + 4).await
}

/// Deletes the records of the facility's partition before `offset`, as a limited retention does.
async fn delete(fleet: &Fleet, partition: i32, offset: i64) -> Result<()> {
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&fleet.world.topic, partition, Offset::Offset(offset))?;
    fleet.admin()?.delete_records(&before, &AdminOptions::new()).await.context("delete records")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_are_named_and_those_that_were_not_folded_are_not_skipped() -> Result<()> {
    let mut fleet = Fleet::open(World::new("topic-deleted").await?).await?;
    let (code, partition) = (CODES[0], fleet.partition(CODES[0]).await?);
    let elsewhere = fleet.elsewhere(partition).await?;
    fleet.state(code).await?;
    let facts = CODES.len() as i64 + 1;
    fleet.folded(facts).await?;
    let store = fleet.world.store().await?;
    let query = "SELECT next_offset FROM projection.progress WHERE partition = $1";
    let next: i64 = store.query_one(query, &[&partition]).await?.get(0);
    // What was folded is deleted: the projection goes on, and check and journal say so.
    delete(&fleet, partition, next - 1).await?;
    let said = fleet.check_fails().await?;
    ensure!(said.contains(&format!("the first {} records", next - 1)) && said.contains("don't rebuild"), "{said}");
    fleet.stop().await?;
    fleet.server.launch()?;
    fleet.says("the first records of the partition are deleted").await?;
    fleet.state(code).await?;
    fleet.folded(facts + 1).await?;
    // What was not folded is deleted: that partition is paused.
    fleet.stop().await?;
    fleet.state(code).await?;
    fleet.state(code).await?;
    delete(&fleet, partition, next + 2).await?;
    ensure!(fleet.check_fails().await?.contains("deleted records that were never folded"));
    fleet.server.launch()?;
    fleet.says("deleted records that were never folded").await?;
    fleet.state(elsewhere).await?;
    fleet.folded(facts + 2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_stands_still_holds_up_its_own_partitions_only() -> Result<()> {
    /// Less than a comparison with a broker that does not answer takes.
    const WITHOUT_DELAY: Duration = Duration::from_secs(4);
    let world = World::with_own_services("topic-brokers").await?;
    let mut second = SecondBroker::join(&world).await?;
    let mut fleet = Fleet::open(world).await?;
    let there = SecondBroker::partitions(&fleet.world).await?;
    let (mut stuck, mut free) = (None, None);
    for code in CODES {
        let place = if there.contains(&fleet.partition(code).await?) { &mut stuck } else { &mut free };
        *place = Some(code);
    }
    let stuck = stuck.context("a facility at the second broker")?;
    let free = free.context("a facility at the first broker")?;
    // Each claim compares the partitions with the log, so that the server starts while the broker stands still.
    fleet.stop().await?;
    second.process.signal(Signal::STOP)?;
    fleet.server.launch()?;
    fleet.says("partition paused until it can be read").await?;
    let before = fleet.facts().await?;
    // Longer than several comparisons.
    for more in 1..=12 {
        fleet.state(free).await?;
        let what = format!("statement {more} at the other broker");
        wait::until(&what, WITHOUT_DELAY, async || {
            let found = fleet.facts().await?;
            ensure!(found == before + more, "{found} of {}", before + more);
            Ok(())
        })
        .await?;
    }
    ensure!(fleet.check_fails().await?.contains("of the log"), "check names no partition");
    second.process.signal(Signal::CONT)?;
    fleet.says("partition resumed").await?;
    fleet.state(stuck).await?;
    fleet.folded(before + 13).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_to_which_partitions_were_added_is_not_folded() -> Result<()> {
    let mut fleet = Fleet::open(World::new("topic-partitions").await?).await?;
    let admin = fleet.admin()?;
    let more = NewPartitions::new(&fleet.world.topic, 7);
    let added = admin.create_partitions([&more], &AdminOptions::new()).await?;
    added.into_iter().next().context("an answer")?.map_err(|(_, code)| anyhow::anyhow!("{code:?}"))?;
    ensure!(fleet.check_fails().await?.contains("has 7 partitions"));
    fleet.health("log_changed", "has 7").await?;
    // The running server notices it too, and at each start.
    let limit = Duration::from_secs(60);
    wait::until("the server to notice it", limit, async || {
        ensure!(fleet.server.log().contains("has 7 partitions"), "it did not");
        Ok(())
    })
    .await?;
    fleet.stop().await?;
    let facts = fleet.facts().await?;
    fleet.server.launch()?;
    fleet.says("has 7 partitions").await?;
    for code in CODES {
        fleet.state(code).await?;
    }
    fleet.says("projection failed").await?;
    ensure!(fleet.facts().await? == facts, "records were folded");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_records_of_somebody_else_is_not_taken_over() -> Result<()> {
    let fleet = Fleet::open(World::new("topic-theirs").await?).await?;
    let mut other = World::new("topic-ours").await?;
    other.topic.clone_from(&fleet.world.topic);
    let refused = Server::prepare(&other, Plan::default()).await.err().context("`migrate` takes it over")?;
    let said = format!("{refused:#}");
    ensure!(said.contains("already has") && said.contains("--existing-log"), "{said}");
    // Its own server may migrate again.
    fleet.server.run(&["migrate"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_belongs_to_the_installation_that_claimed_it_first() -> Result<()> {
    let world = World::new("topic-first").await?;
    let mut second = World::new("topic-second").await?;
    second.topic.clone_from(&world.topic);
    // Two at once, before there is any record: one of them owns it, the other one is refused.
    let (plan, other_plan) = (Plan::default(), Plan::default());
    let prepared = tokio::join!(Server::prepare(&world, plan), Server::prepare(&second, other_plan));
    let (mut owner, world, refused) = match prepared {
        (Ok(owner), Err(refused)) => (owner, &world, refused),
        (Err(refused), Ok(owner)) => (owner, &second, refused),
        (one, other) => anyhow::bail!("{:?} {:?}", one.err(), other.err()),
    };
    ensure!(format!("{refused:#}").contains("belongs to installation"), "{refused:#}");
    owner.run(&["check"]).await?;
    owner.run(&["migrate"]).await?;

    // The database of another installation comes in its place: nothing is served, and `check` says why.
    let store = world.store().await?;
    let id = "SELECT id::text FROM registry.installation";
    let own: String = store.query_one(id, &[]).await?.get(0);
    store.execute("UPDATE registry.installation SET id = gen_random_uuid()", &[]).await?;
    let check = owner.try_run(&["check"]).await?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    ensure!(!check.status.success() && said.contains(&format!("belongs to installation {own}")), "{said}");
    owner.launch()?;
    owner.process()?.ended(PATIENCE).await?;
    ensure!(owner.log().contains("belongs to installation"), "{}", owner.log());
    // A person may say that it is its own.
    owner.run(&["migrate", "--existing-log"]).await?;
    let adopted: String = store.query_one(id, &[]).await?.get(0);
    ensure!(adopted == own, "{adopted} in place of {own}");
    owner.run(&["check"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_whose_settings_lose_facts_is_refused() -> Result<()> {
    let fleet = Fleet::open(World::new("topic-settings").await?).await?;
    let said = fleet.server.run(&["check"]).await?;
    ensure!(said.contains("flush.messages"), "a single replica is a risk: {said}");
    for (setting, value) in
        [("retention.ms", "604800000"), ("cleanup.policy", "compact"), ("retention.bytes", "1048576")]
    {
        fleet.set(setting, value).await?;
        wait::until(setting, PATIENCE, async || {
            let said = fleet.check_fails().await?;
            ensure!(said.contains(&format!("{setting} is")) && said.contains("--add-config"), "{said}");
            Ok(())
        })
        .await?;
        let refused = fleet.server.try_run(&["migrate"]).await?;
        ensure!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(setting));
    }
    Ok(())
}
