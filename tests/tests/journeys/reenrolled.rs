//! A terminal that is enrolled again, because the authority was lost or it was off for too long, sends what it has kept
//! under its new identity: all of it, and nothing twice. For another facility it sends nothing of before.

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use yomitori_agent::identity::Identity;
use yomitori_proto::id::{FacilityId, Life, TerminalId};
use yomitori_server::store::received;
use yomitori_simulation::clock;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{Build, World};

const CODE: &str = "1319999015";
const OTHER: &str = "1319999023";

struct Clinic {
    world: World,
    server: Server,
    agent: Agent,
}

impl Clinic {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan { build: Build::CrashPoints, ..Plan::default() }).await?;
        server.import(&format!("code,name,prefecture\n{CODE},もとの医院,東京都\n{OTHER},べつの医院,東京都\n")).await?;
        for code in [CODE, OTHER] {
            wait::until(code, PATIENCE, async || server.facility(code).await).await?;
        }
        let env = vec![("YOMITORI_LOG".to_owned(), "debug".to_owned())];
        let plan = AgentPlan { env, ..AgentPlan::default() };
        let agent = Agent::start(&world, &server, CODE, plan).await?;
        Ok(Self { world, server, agent })
    }

    fn identity(&self) -> Result<Identity> {
        Identity::load(&self.agent.state)?.context("it is enrolled")
    }

    /// The agent sees a result file, and keeps the observation.
    async fn result(&self) -> Result<()> {
        let kept = || self.agent.log().matches("An observation was stored").count();
        let before = kept();
        self.agent.face_result(clock::now()).await?;
        wait::until("the observation to be kept", PATIENCE, async || {
            ensure!(kept() > before, "{}", self.agent.log());
            Ok(())
        })
        .await
    }

    /// The result files of the facility: how many facts, and how many different observations.
    async fn results(&self, code: &str) -> Result<(i64, i64)> {
        let query = "SELECT count(*), count(DISTINCT (life, seq)) FROM projection.fact \
                     WHERE facility_id = $1 AND kind = 'linkage_result_observed'";
        let row = self.world.store().await?.query_one(query, &[&FacilityId::of_code(code).0]).await?;
        Ok((row.get(0), row.get(1)))
    }

    async fn until_results(&self, count: i64) -> Result<()> {
        wait::until(&format!("{count} results"), PATIENCE, async || {
            let found = self.results(CODE).await?;
            ensure!(found == (count, count), "{found:?} of {count}: {}", self.agent.log());
            Ok(())
        })
        .await
    }

    async fn lives(&self, terminal: TerminalId) -> Result<Vec<uuid::Uuid>> {
        let query = "SELECT DISTINCT life FROM projection.fact WHERE terminal_id = $1 AND life IS NOT NULL";
        let rows = self.world.store().await?.query(query, &[&terminal.0]).await?;
        Ok(rows.into_iter().map(|row| row.get(0)).collect())
    }

    async fn enrol_again(&self, code: &str) -> Result<()> {
        let token = self.server.token(code).await?;
        self.agent.run(&["enrol", "--again", "--token", &token]).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_before_another_enrolment_is_sent_after_it_and_once() -> Result<()> {
    let mut clinic = Clinic::open("reenrolled").await?;
    clinic.result().await?;
    clinic.until_results(1).await?;
    let first = clinic.identity()?.terminal();

    // Some observations arrive, but the terminal never learns of it: the server dies in front of the acknowledgement.
    clinic.server.kill()?;
    for _ in 0..3 {
        clinic.result().await?;
    }
    clinic.server.set_env(vec![("YOMITORI_CRASH".to_owned(), "after-append:1".to_owned())]);
    clinic.server.launch()?;
    clinic.server.process()?.ended(PATIENCE).await?;
    clinic.agent.kill()?;

    // The authority is lost, and the next server makes another one.
    let authority = clinic.world.folder().join("authority");
    for file in ["ca.pem", "ca.key"] {
        std::fs::remove_file(authority.join(file)).with_context(|| format!("remove {file}"))?;
    }
    clinic.server.set_env(Vec::new());
    let refused = |output: std::process::Output, what: &str| -> Result<()> {
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(!output.status.success() && said.contains(what), "{said}");
        Ok(())
    };
    // Not by itself: a forgotten copy is the more likely reason.
    for command in ["check", "serve"] {
        refused(clinic.server.try_run(&[command]).await?, "no certificate authority in")?;
    }
    refused(clinic.server.try_run(&["migrate"]).await?, "--new-authority")?;
    clinic.server.run(&["migrate", "--new-authority"]).await?;
    refused(clinic.server.try_run(&["migrate", "--new-authority"]).await?, "is the one that terminals trust")?;
    clinic.server.serve().await?;
    clinic.agent.launch()?;
    clinic.result().await?;
    clinic.agent.kill()?;
    clinic.enrol_again(CODE).await?;
    let second = clinic.identity()?.terminal();
    ensure!(second != first, "it has a new identifier");
    // It may die before it has used the new identity, and after it has.
    for _ in 0..3 {
        clinic.agent.launch()?;
        clinic.result().await?;
        clinic.agent.kill()?;
    }
    clinic.agent.launch()?;
    clinic.until_results(8).await?;
    ensure!(clinic.lives(first).await? == clinic.lives(second).await?, "its life goes on");
    let query = "SELECT count(*), count(DISTINCT (life, seq)) FROM projection.fact WHERE life IS NOT NULL";
    let row = clinic.world.store().await?.query_one(query, &[]).await?;
    let (facts, observations): (i64, i64) = (row.get(0), row.get(1));
    ensure!(facts == observations, "{facts} facts of {observations} observations");
    ensure!(!clinic.agent.state.join("spool.broken.redb").exists(), "the spool was set aside");
    // Nothing is said to be missing: what came before stands under the former identifier.
    let holes = "SELECT count(*) FROM analytics.completeness WHERE holes @> '[{\"what\": \"missing\"}]'";
    let holes: i64 = clinic.world.store().await?.query_one(holes, &[]).await?.get(0);
    let facility = clinic.server.facility(CODE).await?;
    let flags = facility["facility"]["status"]["flags"].to_string();
    ensure!(holes == 0 && !flags.contains("collection_incomplete"), "{holes} lives with missing numbers; {flags}");
    clinic.server.run(&["log", "verify"]).await?;

    // Counted again from the facts, as after a record that is taken back, it stays so.
    let mut store = clinic.world.store().await?;
    store.batch_execute("SET search_path = projection").await?;
    let lives: Vec<uuid::Uuid> = clinic.lives(second).await?;
    let lives = lives.into_iter().map(|life| (second, Life(life))).collect();
    let transaction = store.transaction().await?;
    received::recount(&transaction, FacilityId::of_code(CODE), &lives).await?;
    transaction.commit().await?;
    clinic.server.run(&["log", "verify"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_for_one_facility_is_never_sent_to_another() -> Result<()> {
    let mut clinic = Clinic::open("reenrolled-elsewhere").await?;
    clinic.agent.kill()?;
    clinic.server.kill()?;
    clinic.agent.launch()?;
    clinic.result().await?;
    clinic.result().await?;
    clinic.agent.kill()?;
    clinic.server.serve().await?;
    clinic.enrol_again(OTHER).await?;
    clinic.agent.launch()?;
    clinic.result().await?;
    wait::until("the result at the other facility", PATIENCE, async || {
        ensure!(clinic.results(OTHER).await?.0 == 1, "{}", clinic.agent.log());
        Ok(())
    })
    .await?;
    ensure!(clinic.results(CODE).await?.0 == 0, "it was sent to the facility of before");
    let checked = clinic.agent.try_run(&["check"]).await?;
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    ensure!(checked.contains("spool.other-facility.1.redb") && checked.contains("別の施設の未送信"), "{checked}");

    // There and back: neither replaces the other.
    clinic.agent.kill()?;
    clinic.enrol_again(CODE).await?;
    clinic.agent.launch()?;
    clinic.result().await?;
    clinic.until_results(1).await?;
    for name in ["spool.other-facility.1.redb", "spool.other-facility.2.redb"] {
        ensure!(clinic.agent.state.join(name).exists(), "{name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_waits_until_the_facility_is_folded_and_is_sent_once() -> Result<()> {
    let mut clinic = Clinic::open("reenrolled-parked").await?;
    clinic.result().await?;
    clinic.until_results(1).await?;
    // A batch is in the log, and the terminal does not learn of it; then the facility is blocked.
    clinic.server.kill()?;
    clinic.result().await?;
    clinic.server.set_env(vec![("YOMITORI_CRASH".to_owned(), "after-append:1".to_owned())]);
    clinic.server.launch()?;
    clinic.server.process()?.ended(PATIENCE).await?;
    clinic.agent.kill()?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &clinic.world.kafka.address).set("partitioner", "murmur2_random");
    let producer: FutureProducer = config.create().context("make a producer")?;
    let facility = FacilityId::of_code(CODE);
    let garbage = FutureRecord::to(&clinic.world.topic).key(facility.0.as_bytes()).payload(b"\xff\xff");
    producer.send(garbage, PATIENCE).await.map_err(|(error, _)| error).context("write into the log")?;
    clinic.server.set_env(Vec::new());
    clinic.server.serve().await?;
    clinic.enrol_again(CODE).await?;
    clinic.agent.launch()?;
    clinic.result().await?;
    wait::until("the server to refuse the stream", PATIENCE, async || {
        ensure!(clinic.server.log().contains("the enrolment is not folded yet"), "{}", clinic.server.log());
        Ok(())
    })
    .await?;
    clinic.server.run(&["parked", "skip", CODE, "--by", "x", "--why", "garbage"]).await?;
    wait::until("three results, once each", PATIENCE * 3, async || {
        let found = clinic.results(CODE).await?;
        ensure!(found == (3, 3), "{found:?}: {}", clinic.agent.log());
        Ok(())
    })
    .await?;
    clinic.server.run(&["log", "verify"]).await?;
    Ok(())
}
