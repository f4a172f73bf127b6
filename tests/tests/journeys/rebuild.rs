//! A rebuild next to the live generation: during reads and new records, swapped in one step, after a crash, after the
//! loss of the database, and automatically for a program with another version of the fold.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yomitori_facility::FOLD;
use yomitori_tests::oracle::Crowd;
use yomitori_tests::storm::Kills;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{Build, World};

const CODE: &str = "1319999015";
const FACILITIES: u64 = 40;

struct Desk {
    world: World,
    server: Server,
    crowd: Crowd,
}

impl Desk {
    /// A server that projects, and a log with a day of many facilities.
    async fn open(test: &str, build: Build) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan { build, ..Plan::default() }).await?;
        let mut desk = Self { world, server, crowd: Crowd { facilities: FACILITIES, batch: 20, observed: 0 } };
        desk.server.import(&format!("code,name,prefecture\n{CODE},さいこうちく医院,東京都\n")).await?;
        desk.server.run(&["read", "record", "--facility", CODE, "--os", "ios", "--by", "Suzuki"]).await?;
        desk.hears(400).await?;
        Ok(desk)
    }

    async fn hears(&mut self, more: usize) -> Result<()> {
        self.crowd.append_observations(&self.world, more).await
    }

    async fn agrees(&self) -> Result<()> {
        self.crowd.is_folded(&self.world).await
    }

    async fn difference(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.server.run(&["rebuild", "diff", "--format", "json"]).await?)?)
    }

    async fn one(&self, query: &str) -> Result<i64> {
        Ok(self.world.store().await?.query_one(query, &[]).await?.get(0))
    }
}

/// What a role may do with the tables of the live generation.
const RIGHTS: &str = "
SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT format('%s %s %s', table_name, privilege_type, is_grantable) AS line
    FROM information_schema.table_privileges WHERE table_schema = 'projection' AND grantee = $1
    UNION ALL
    SELECT format('%s.%s %s', table_name, column_name, privilege_type)
    FROM information_schema.column_privileges WHERE table_schema = 'projection' AND grantee = $1
    UNION ALL
    SELECT format('%s: %s %s %s %s %s', tablename, policyname, permissive, cmd, qual, with_check)
    FROM pg_policies WHERE schemaname = 'projection' AND $1 = ANY(roles)
    UNION ALL
    SELECT format('%s %s %s', relname, relrowsecurity, relforcerowsecurity) FROM pg_class
    WHERE relnamespace = 'projection'::regnamespace AND relkind = 'r' AND relrowsecurity
    UNION ALL
    SELECT format('trigger %s', tgname) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE relnamespace = 'projection'::regnamespace AND NOT tgisinternal
) AS lines";

#[tokio::test(flavor = "multi_thread")]
async fn rights_and_row_policies_stay_after_each_swap() -> Result<()> {
    let desk = Desk::open("rebuild-rights", Build::Released).await?;
    desk.agrees().await?;
    let store = desk.world.store().await?;
    // A role belongs to the whole server, which other tests share.
    let role = format!("reader_{}", desk.world.topic);
    store
        .batch_execute(&format!(
            "CREATE ROLE {role}; GRANT SELECT ON projection.fact TO {role} WITH GRANT OPTION;
             GRANT SELECT (facility_id, name), UPDATE (name) ON projection.facility_row TO {role};
             ALTER TABLE projection.facility_row ENABLE ROW LEVEL SECURITY;
             CREATE POLICY mine ON projection.facility_row FOR SELECT TO {role} USING (code = '{CODE}');
             CREATE POLICY less ON projection.facility_row AS RESTRICTIVE FOR UPDATE TO {role}
                 USING (name <> '') WITH CHECK (name <> 'x');
             CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
             CREATE TRIGGER watched BEFORE INSERT ON projection.parked FOR EACH ROW EXECUTE FUNCTION public.nothing()"
        ))
        .await?;
    let rights = async || -> Result<String> { Ok(store.query_one(RIGHTS, &[&role]).await?.get(0)) };
    let before = rights().await?;
    ensure!(before.lines().count() >= 8, "{before}");
    for (arguments, withdrawn) in [(&["rebuild", "--facts"][..], ""), (&["rebuild"], "SELECT")] {
        desk.server.run(arguments).await?;
        // What default privileges gave the new tables, and nobody gave the old ones.
        store.batch_execute(&format!("GRANT ALL ON shadow.life TO {role}")).await?;
        let expected = if withdrawn.is_empty() {
            before.clone()
        } else {
            store.batch_execute(&format!("REVOKE SELECT ON projection.fact FROM {role}")).await?;
            rights().await?
        };
        desk.server.run(&["rebuild", "swap"]).await?;
        let after = rights().await?;
        ensure!(after == expected, "{after}\nin place of\n{expected}");
    }
    desk.agrees().await?;
    store.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_data_are_reported_and_swapped_while_records_arrive() -> Result<()> {
    let mut desk = Desk::open("rebuild", Build::Released).await?;
    desk.agrees().await?;
    ensure!(!desk.server.try_run(&["rebuild", "swap"]).await?.status.success(), "there is nothing to exchange");
    let built = desk.server.run(&["rebuild"]).await?;
    ensure!(built.contains("rebuild swap"), "{built}");
    let difference = desk.difference().await?;
    ensure!(difference["facilities"] == Value::Array(Vec::new()), "nothing would change: {difference}");
    ensure!(difference["compared"] == 1 + FACILITIES, "{difference}");

    // The live data are tampered with, including the state, so that further folding would keep the error.
    let tamper = "UPDATE projection.facility_row SET eligible = 'not_yet', name = 'にせ医院', \
                  state = replace(state, 'さいこうちく', 'にせ') WHERE code = $1";
    ensure!(desk.world.store().await?.execute(tamper, &[&CODE]).await? == 1);
    desk.hears(100).await?;
    let difference = desk.difference().await?;
    let changed = &difference["facilities"][0];
    ensure!(difference["facilities"].as_array().is_some_and(|all| all.len() == 1), "{difference}");
    ensure!(changed["code"] == CODE && changed["presence"] == "both", "{difference}");
    let columns = changed["columns"].as_array().context("columns")?;
    let eligible = columns.iter().find(|column| column["name"] == "eligible").context("eligible")?;
    ensure!(eligible["live"] == "not_yet" && eligible["beside"] == "eligible", "{difference}");
    let answer = desk.server.run(&["rebuild", "diff"]).await?;
    ensure!(answer.contains("eligible: not_yet -> eligible") && answer.contains("1 of "), "{answer}");

    desk.server.run(&["rebuild", "swap"]).await?;
    desk.agrees().await?;
    ensure!(desk.server.facility(CODE).await?["facility"]["name"] == "さいこうちく医院");
    // The projector continues in the new generation.
    desk.hears(60).await?;
    desk.agrees().await?;
    let analysts = "SELECT count(*) FROM analytics.fact f JOIN projection.facility USING (facility_id)";
    ensure!(desk.one(analysts).await? > i64::try_from(desk.crowd.observed)? * i64::try_from(FACILITIES)?);
    ensure!(desk.server.run(&["rebuild", "drop"]).await?.contains("deleted"));
    ensure!(desk.one("SELECT count(*) FROM pg_namespace WHERE nspname IN ('shadow', 'leaving')").await? == 0);
    desk.agrees().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_disagreement_of_log_and_store_is_reported_and_repaired() -> Result<()> {
    let mut desk = Desk::open("verify", Build::Released).await?;
    desk.agrees().await?;
    // Repeated observations are dropped, and are no disagreement.
    desk.crowd.observed -= 100;
    desk.hears(100).await?;
    let (agrees, report) = desk.verified().await?;
    ensure!(agrees && report["disagreements"] == 0 && report["named"] == Value::Array(Vec::new()), "{report}");
    let expected = desk.one("SELECT count(*) FROM projection.fact").await?;
    ensure!(report["facts"] == expected && report["facilities"] == 1 + FACILITIES, "{report}");

    let store = desk.world.store().await?;
    let tap = "(SELECT ctid FROM projection.fact WHERE kind = 'tap_observed' ORDER BY partition, log_offset, index_in_record LIMIT 1";
    store.batch_execute(&format!(
        "DELETE FROM projection.fact WHERE ctid = {tap});
         UPDATE projection.fact SET received_at = received_at + interval '1 second' WHERE ctid = {tap} OFFSET 3);
         INSERT INTO projection.fact SELECT (jsonb_populate_record(f, '{{\"index_in_record\": 99}}')).* FROM projection.fact f \
         WHERE ctid = {tap} OFFSET 5);
         UPDATE projection.facility_row SET state = replace(state, 'さいこうちく', 'にせ') WHERE code = '{CODE}';
         DELETE FROM projection.facility_row WHERE ctid = (SELECT ctid FROM projection.facility_row WHERE code IS NULL LIMIT 1);
         UPDATE projection.life SET seq = seq + 1 WHERE ctid = (SELECT ctid FROM projection.life LIMIT 1);"
    ))
    .await?;
    let (agree, report) = desk.verified().await?;
    let mut kinds: Vec<&str> =
        report["named"].as_array().context("named")?.iter().filter_map(|d| d["what"].as_str()).collect();
    kinds.sort_unstable();
    let all = ["facility_differs", "facility_missing", "fact_differs", "fact_invented", "fact_missing", "life_differs"];
    ensure!(!agree && report["disagreements"] == 6 && kinds == all, "{report}");
    desk.server.run(&["rebuild", "--facts"]).await?;
    desk.server.run(&["rebuild", "swap"]).await?;
    let (agree, report) = desk.verified().await?;
    ensure!(agree, "{report}");
    desk.agrees().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_recovered_by_a_rebuild_alone() -> Result<()> {
    let mut desk = Desk::open("rebuild-lost", Build::Released).await?;
    desk.agrees().await?;
    let before: Value =
        serde_json::from_str(&desk.server.run(&["status", "--facility", CODE, "--format", "json"]).await?)?;
    desk.server.kill()?;
    desk.world.database =
        desk.world.postgres.database(&format!("{}_again", desk.world.topic.replace('-', "_"))).await?;
    desk.server = Server::configure(&desk.world, Plan::default())?;
    desk.server.run(&["migrate", "--existing-log"]).await?;
    // An empty database agrees with nothing.
    let verified = desk.server.try_run(&["log", "verify"]).await?;
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    ensure!(!verified.status.success() && said.contains("nothing could be compared"), "{said}");
    desk.server.run(&["rebuild"]).await?;
    desk.server.run(&["rebuild", "swap"]).await?;
    desk.agrees().await?;
    let after: Value =
        serde_json::from_str(&desk.server.run(&["status", "--facility", CODE, "--format", "json"]).await?)?;
    for axis in ["eligible", "evidence", "intent", "opt_out", "listing", "name", "codes"] {
        ensure!(before[axis] == after[axis], "{axis}: {} is now {}", before[axis], after[axis]);
    }
    desk.server.serve().await?;
    desk.hears(40).await?;
    desk.agrees().await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_the_fold_rebuilds_automatically_while_the_old_one_is_shown() -> Result<()> {
    let mut desk = Desk::open("rebuild-version", Build::Released).await?;
    desk.agrees().await?;
    desk.server.kill()?;
    let older = format!("UPDATE projection.generation SET fold = {}", FOLD - 1);
    desk.world.store().await?.batch_execute(&older).await?;
    desk.hears(40).await?;
    desk.server.serve().await?;
    ensure!(desk.server.facility(CODE).await?["facility"]["name"] == "さいこうちく医院", "it is shown meanwhile");
    let folded = format!("SELECT count(*) FROM projection.generation WHERE fold = {FOLD} AND number = 2");
    wait::until("the new version", PATIENCE, async || {
        ensure!(desk.one(&folded).await? == 1);
        Ok(())
    })
    .await?;
    desk.agrees().await?;
    // A program that is older than the database doesn't touch it.
    desk.server.kill()?;
    let newer = format!("UPDATE projection.generation SET fold = {}", FOLD + 1);
    desk.world.store().await?.batch_execute(&newer).await?;
    desk.server.serve().await?;
    wait::until("the older program says so", PATIENCE, async || {
        ensure!(desk.server.log().contains("run the newer program"), "{}", desk.server.log());
        Ok(())
    })
    .await?;
    ensure!(desk.one("SELECT count(*) FROM projection.generation WHERE number = 2").await? == 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_swap_restores_the_previous_generation() -> Result<()> {
    let mut desk = Desk::open("rebuild-back", Build::Released).await?;
    desk.agrees().await?;
    // With the existing facts, and with facts that the new program reads again.
    for rebuild in [&["rebuild"][..], &["rebuild", "--facts"]] {
        desk.server.run(rebuild).await?;
        for _ in ["there", "back", "and there again"] {
            desk.server.run(&["rebuild", "swap"]).await?;
            desk.hears(20).await?;
            desk.agrees().await?;
        }
        let (agree, report) = desk.verified().await?;
        ensure!(agree, "{report}");
    }
    // A second rebuild can't take the generation from the first.
    let store = desk.world.store().await?;
    store.batch_execute("SELECT pg_advisory_lock(x'596f6d690002'::int8)").await?;
    let refused = desk.server.try_run(&["rebuild", "drop"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("another rebuild is running"), "{said}");
    store.batch_execute("SELECT pg_advisory_unlock_all()").await?;
    desk.server.run(&["rebuild", "drop"]).await?;
    desk.agrees().await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_killed_process_continues_and_nothing_is_lost_or_duplicated() -> Result<()> {
    let mut desk = Desk::open("rebuild-killed", Build::CrashPoints).await?;
    let mut kills = Kills::default();
    for point in ["rebuild-after-fold", "rebuild-before-commit", "rebuild-after-commit"] {
        for passage in 1..=4 {
            desk.hears(20).await?;
            if desk.killed_at("rebuild", point, passage).await? {
                kills.count("rebuild", point);
            }
        }
    }
    for point in ["swap-before-exchange", "swap-before-commit", "swap-after-commit"] {
        desk.hears(20).await?;
        desk.server.run(&["rebuild"]).await?;
        ensure!(desk.killed_at("swap", point, 1).await?, "{point} was not passed");
        kills.count("rebuild swap", point);
        desk.agrees().await?;
    }
    kills.note("rebuild")?;
    ensure!(kills.total() >= 12, "only {kills:?}");
    desk.server.run(&["rebuild"]).await?;
    desk.server.run(&["rebuild", "swap"]).await?;
    desk.agrees().await
}

impl Desk {
    /// Whether log and store agree once everything is folded, and the report.
    async fn verified(&self) -> Result<(bool, Value)> {
        let ends = self.world.records().await?.len();
        wait::until("all folded", PATIENCE, async || {
            let next = self.one("SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress").await?;
            ensure!(usize::try_from(next)? == ends);
            Ok(())
        })
        .await?;
        let output = self.server.try_run(&["log", "verify", "--format", "json"]).await?;
        ensure!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
        Ok((output.status.success(), serde_json::from_slice(&output.stdout).context("a report")?))
    }

    /// Runs `rebuild`, or `rebuild swap`, until it is killed at a passage of a point; returns whether it got there.
    async fn killed_at(&self, what: &str, point: &str, passage: u32) -> Result<bool> {
        let mut command = self.server.command();
        command.arg("rebuild").env("YOMITORI_CRASH", format!("{point}:{passage}"));
        if what == "swap" {
            command.arg("swap");
        }
        let ended = tokio::process::Command::from(command).output().await?;
        let killed = ended.status.code().is_none();
        ensure!(killed || ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        Ok(killed)
    }
}
