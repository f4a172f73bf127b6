//! An invalid record blocks its facility and no other. People see it, retry it or skip it, and the records behind it
//! are applied once and in order.

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use yomitori_proto::id::FacilityId;
use yomitori_tests::world::browser::Browser;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{Build, World};

const CODE: &str = "1319999015";
const OTHER: &str = "1319999023";
/// No message of the contract begins like this.
const GARBAGE: &[u8] = b"\xff\xff\xff\xff";

struct Fleet {
    world: World,
    server: Server,
    producer: FutureProducer,
}

impl Fleet {
    async fn open(test: &str) -> Result<Self> {
        Self::with(test, Plan::default()).await
    }

    async fn with(test: &str, plan: Plan) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, plan).await?;
        let facilities = format!("code,name,prefecture\n{CODE},とまる医院,東京都\n{OTHER},すすむ医院,東京都\n");
        server.import(&facilities).await?;
        for code in [CODE, OTHER] {
            wait::until(code, PATIENCE, async || server.facility(code).await).await?;
        }
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &world.kafka.address).set("partitioner", "murmur2_random");
        let producer = config.create().context("make a producer")?;
        Ok(Self { world, server, producer })
    }

    /// Writes an invalid record for the facility directly into the log.
    async fn break_it(&self) -> Result<()> {
        self.write_garbage(FacilityId::of_code(CODE).0.as_bytes()).await
    }

    async fn write_garbage(&self, key: &[u8]) -> Result<()> {
        let record = FutureRecord::to(&self.world.topic).key(key).payload(GARBAGE);
        self.producer.send(record, PATIENCE).await.map_err(|(error, _)| error).context("write into the log")?;
        Ok(())
    }

    /// Plans a maintenance window that begins on this day of May, as a waiting record with a recognizable order.
    async fn state(&self, code: &str, day: u32) -> Result<()> {
        let (from, to) = (format!("2026-05-{day:02}"), format!("2026-05-{:02}", day + 1));
        let span = ["--from", &from, "--to", &to, "--by", "x", "--why", "works"];
        self.server.run(&[&["maintenance", "set", "--facility", code][..], &span].concat()).await?;
        Ok(())
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.server.run(&[arguments, &["--format", "json"]].concat()).await?)?)
    }

    /// Waits until this number of records wait, and returns the only parked facility.
    async fn waiting(&self, records: i64) -> Result<Value> {
        wait::until(&format!("{records} records to wait"), PATIENCE, async || {
            let found = self.json(&["parked", "list"]).await?;
            ensure!(found[0]["records"] == records && found[1].is_null(), "{found:#}");
            Ok(found[0].clone())
        })
        .await
    }

    /// The days of the facility's planned maintenance windows in the order of the log, once there are `count`.
    async fn days(&self, code: &str, count: usize) -> Result<Vec<String>> {
        let query = "SELECT event->>'from' FROM analytics.fact WHERE facility_id = $1 AND kind = 'maintenance_window_set' \
                     ORDER BY partition, log_offset, index_in_record";
        let store = self.world.store().await?;
        wait::until(&format!("{count} maintenances of {code}"), PATIENCE, async || {
            let rows = store.query(query, &[&FacilityId::of_code(code).0]).await?;
            ensure!(rows.len() == count, "{} of {count}", rows.len());
            Ok(rows.iter().map(|row| row.get::<_, String>(0)).collect())
        })
        .await
    }

    /// Everything in the store is the fold of the log by this program.
    async fn store_is_the_fold(&self) -> Result<()> {
        self.server.run(&["log", "verify"]).await?;
        Ok(())
    }

    /// Sends a form like one of our pages, or with the given `origin`; returns the answer's status, location and text.
    async fn send(&self, path: &str, body: &str, origin: Option<&str>) -> Result<(u16, String, String)> {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let request = client
            .post(format!("{}{path}", self.server.web))
            .header("origin", origin.unwrap_or(&self.server.web))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned());
        let answer = request.send().await.context("send a form")?;
        let leads = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
        Ok((answer.status().as_u16(), leads, answer.text().await?))
    }

    async fn page(&self, path: &str) -> Result<String> {
        Ok(reqwest::get(format!("{}{path}", self.server.web)).await?.error_for_status()?.text().await?)
    }
}

fn ascending(days: &[String]) -> bool {
    days.is_sorted() && days.windows(2).all(|pair| pair[0] != pair[1])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_no_facility_blocks_nobody() -> Result<()> {
    let fleet = Fleet::open("parked-nobody").await?;
    for key in [&b""[..], CODE.as_bytes(), &[0xff; 17]] {
        fleet.write_garbage(key).await?;
    }
    wait::until("three to wait", PATIENCE, async || {
        let found = fleet.json(&["parked", "list"]).await?;
        ensure!(found.as_array().is_some_and(|all| all.len() == 3), "{found:#}");
        Ok(())
    })
    .await?;
    // Facts about all facilities, and about each, are folded.
    let span = ["--closes", "clinics", "--from", "2026-08-13", "--to", "2026-08-16", "--by", "x", "--why", "お盆"];
    fleet.server.run(&[&["closure", "set"][..], &span].concat()).await?;
    wait::until("the closure", PATIENCE, async || {
        let listed = fleet.server.run(&["closure", "list"]).await?;
        ensure!(listed.contains("2026-08-13"), "{listed}");
        Ok(())
    })
    .await?;
    fleet.state(CODE, 1).await?;
    fleet.days(CODE, 1).await?;
    let found = fleet.json(&["parked", "list"]).await?;
    for stopped in found.as_array().context("a list")? {
        let id = stopped["facility_id"].as_str().context("an identifier")?;
        fleet.json(&["parked", "skip", id, "--by", "x", "--why", "of nobody"]).await?;
    }
    fleet.server.nothing_waits().await?;
    fleet.store_is_the_fold().await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_behind_a_skipped_one_are_applied_once_and_in_order() -> Result<()> {
    let mut fleet = Fleet::open("parked").await?;
    fleet.state(CODE, 1).await?;
    fleet.days(CODE, 1).await?;
    fleet.break_it().await?;
    for day in 2..5 {
        fleet.state(CODE, day).await?;
    }
    fleet.break_it().await?;
    fleet.state(CODE, 5).await?;
    fleet.state(OTHER, 9).await?;
    // The other facility continues while six records wait.
    fleet.days(OTHER, 1).await?;
    let stopped = fleet.waiting(6).await?;
    ensure!(stopped["code"] == CODE && stopped["name"] == "とまる医院", "{stopped:#}");
    ensure!(stopped["reason"].as_str().is_some_and(|reason| reason.starts_with("decode: ")), "{stopped:#}");
    ensure!(fleet.days(CODE, 1).await?.len() == 1);
    let shown = fleet.json(&["parked", "show", CODE]).await?;
    let records = shown["records"].as_array().context("records")?;
    ensure!(records.len() == 6 && records[0]["place"] == stopped["first"], "{shown:#}");
    ensure!(records[0]["kinds"].is_null() && records[0]["bytes"] == GARBAGE.len(), "{shown:#}");
    ensure!(records[1]["kinds"]["maintenance_window_set"] == 1, "{shown:#}");
    let page = fleet.server.run(&["parked", "show", CODE]).await?;
    ensure!(page.contains("maintenance_window_set ×1") && !page.contains("2026-05-02T"), "{page}");

    // A retry changes nothing and loses nothing, also at the next start.
    let came = fleet.json(&["parked", "retry", CODE]).await?;
    ensure!(came["done"] == true && came["still_parked"][0]["records"] == 6, "{came:#}");
    ensure!(came["still_parked"][0]["tried_at"].is_string(), "{came:#}");
    fleet.server.kill()?;
    fleet.server.serve().await?;
    fleet.waiting(6).await?;
    fleet.state(CODE, 6).await?;
    fleet.waiting(7).await?;

    // The first record is skipped: the records behind it are applied, up to the second invalid one.
    let skip = ["parked", "skip", CODE, "--by", "情報課 山田", "--why", "試験で書き込まれた"];
    let came = fleet.json(&skip).await?;
    ensure!(came["done"] == true && came["still_parked"][0]["records"] == 3, "{came:#}");
    ensure!(ascending(&fleet.days(CODE, 4).await?));
    let came = fleet.json(&skip).await?;
    ensure!(came["done"] == true && came["still_parked"] == serde_json::json!([]), "{came:#}");
    ensure!(ascending(&fleet.days(CODE, 6).await?));
    fleet.server.nothing_waits().await?;
    fleet.state(CODE, 7).await?;
    ensure!(ascending(&fleet.days(CODE, 7).await?));
    fleet.store_is_the_fold().await?;
    let page = fleet.page(&format!("/facilities/{CODE}?lang=ja&show=people")).await?;
    ensure!(page.contains("情報課 山田") && page.contains("試験で書き込まれた"), "who left it out, and why: {page}");

    // A second start finds the same state.
    fleet.server.kill()?;
    fleet.server.serve().await?;
    fleet.state(CODE, 8).await?;
    ensure!(ascending(&fleet.days(CODE, 8).await?));
    fleet.server.nothing_waits().await?;
    for refused in [&["parked", "show", CODE][..], &skip, &["parked", "retry", "1349999019"]] {
        let output = fleet.server.try_run(refused).await?;
        ensure!(output.status.code() == Some(2), "{refused:?}: {output:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_an_older_program_could_not_decode_is_folded_at_the_start() -> Result<()> {
    let mut fleet = Fleet::open("parked-newer").await?;
    fleet.state(CODE, 1).await?;
    fleet.days(CODE, 1).await?;
    fleet.server.kill()?;
    // The state left by an older program: two consecutive records that it did not know.
    let records: Vec<_> = fleet.world.records().await?;
    let store = fleet.world.store().await?;
    let id = FacilityId::of_code(CODE);
    let of_facility = |record: &&yomitori_tests::world::kafka::Record| record.key == id.0.as_bytes();
    for record in records.iter().filter(of_facility) {
        store
            .execute(
                "INSERT INTO projection.parked (partition, log_offset, facility_id, reason, record, parked_at) \
                 VALUES ($1, $2, $3, 'decode: unknown', $4, now())",
                &[&record.partition, &record.offset, &id.0, &record.value],
            )
            .await?;
        store.execute("DELETE FROM projection.fact WHERE facility_id = $1", &[&id.0]).await?;
    }
    store.execute("DELETE FROM projection.facility_row WHERE facility_id = $1", &[&id.0]).await?;
    fleet.server.serve().await?;
    fleet.server.nothing_waits().await?;
    fleet.days(CODE, 1).await?;
    let facility = fleet.server.facility(CODE).await?;
    ensure!(facility["facility"]["name"] == "とまる医院", "{facility:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_record_stays_skipped_even_if_a_newer_program_can_decode_it() -> Result<()> {
    let fleet = Fleet::open("parked-left-out").await?;
    fleet.state(CODE, 1).await?;
    fleet.state(CODE, 2).await?;
    fleet.days(CODE, 2).await?;
    let store = fleet.world.store().await?;
    let row = store
        .query_one(
            "SELECT partition, log_offset FROM projection.fact WHERE facility_id = $1 AND kind = 'maintenance_window_set' \
             ORDER BY log_offset LIMIT 1",
            &[&FacilityId::of_code(CODE).0],
        )
        .await?;
    // The log after an older program could not decode the record, and a person skipped it.
    let skipped = yomitori_proto::event::RecordSkipped { partition: row.get(0), offset: row.get(1) };
    let origin = yomitori_proto::event::Origin::Person(yomitori_proto::event::Stated {
        by: "x".to_owned(),
        why: None,
        stated_at: yomitori_simulation::clock::now(),
        id: None,
    });
    let body = yomitori_proto::event::LogBody::Statement { origin, event: skipped.into() };
    let facility = FacilityId::of_code(CODE);
    let record = yomitori_proto::event::LogRecord { facility, received_at: yomitori_simulation::clock::now(), body };
    let bytes = yomitori_proto::encode::log_record_bytes(&record);
    let record = FutureRecord::to(&fleet.world.topic).key(facility.0.as_bytes()).payload(&bytes);
    fleet.producer.send(record, PATIENCE).await.map_err(|(error, _)| error).context("write into the log")?;
    let days = fleet.days(CODE, 1).await?;
    ensure!(days[0].starts_with("2026-05-01T15"), "{days:?}");
    let name = fleet.server.facility(CODE).await?;
    ensure!(name["facility"]["name"] == "とまる医院", "{name:#}");
    fleet.server.nothing_waits().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_during_a_retry_continues_and_nothing_is_lost_or_duplicated() -> Result<()> {
    for point in ["before-retry", "after-retry"] {
        let env = vec![("YOMITORI_CRASH".to_owned(), format!("{point}:1"))];
        let plan = Plan { build: Build::CrashPoints, env, ..Plan::default() };
        let mut fleet = Fleet::with(&format!("parked-{point}"), plan).await?;
        fleet.break_it().await?;
        for day in 1..4 {
            fleet.state(CODE, day).await?;
        }
        fleet.waiting(4).await?;
        let came = fleet.json(&["parked", "skip", CODE, "--by", "x", "--why", "y"]).await?;
        ensure!(came["done"] == (point == "after-retry"), "{point}: {came:#}");
        wait::until("its end", PATIENCE, async || {
            ensure!(fleet.server.process()?.alive().is_err(), "it lives");
            Ok(())
        })
        .await?;
        fleet.server.set_env(Vec::new());
        fleet.server.serve().await?;
        fleet.server.nothing_waits().await?;
        ensure!(ascending(&fleet.days(CODE, 3).await?), "{point}");
        fleet.store_is_the_fold().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_pages_a_person_retries_and_skips_records() -> Result<()> {
    let fleet = Fleet::open("parked-pages").await?;
    fleet.state(CODE, 1).await?;
    for day in 2..4 {
        fleet.break_it().await?;
        fleet.state(CODE, day).await?;
    }
    let stopped = fleet.waiting(4).await?;
    let id = FacilityId::of_code(CODE);
    for (path, needles) in [
        ("/?lang=ja".to_owned(), vec!["1施設の記録が止まっています", "href=\"/parked\""]),
        ("/parked?lang=ja".to_owned(), vec!["とまる医院", "停止中", "もう一度試す", "decode: "]),
        ("/parked?lang=en".to_owned(), vec!["Parked facilities", "Blocked", "Try again"]),
        (format!("/parked/{CODE}?lang=ja"), vec!["maintenance_window_set", "解読不能"]),
        (format!("/facilities/{CODE}?lang=ja"), vec!["この施設の記録は止まっています"]),
        ("/metrics".to_owned(), vec!["fleet_server_parked_facilities 1", "fleet_server_parked_records 4"]),
        ("/healthz".to_owned(), vec!["\"parked_facilities\":1", "\"parked_records\":4"]),
    ] {
        let page = fleet.page(&path).await?;
        for needle in needles {
            ensure!(page.contains(needle), "{path} lacks `{needle}`: {page}");
        }
    }
    let all = fleet.server.get("/api/v1/parked").await?;
    ensure!(all["facilities"][0] == stopped, "{all:#}");
    let first = fleet.server.get(&format!("/api/v1/parked/{CODE}?limit=3")).await?;
    let next = first["next"].as_str().context("more")?;
    let rest = fleet.server.get(next).await?;
    ensure!(first["records"].as_array().is_some_and(|records| records.len() == 3), "{first:#}");
    ensure!(rest["records"].as_array().is_some_and(|records| records.len() == 1), "{rest:#}");

    for (width, height) in [(1280, 900), (390, 844)] {
        let browser = Browser::open(fleet.world.folder(), width, height).await?;
        for path in ["/parked".to_owned(), format!("/parked/{id}"), format!("/parked/{id}/skip"), "/".to_owned()] {
            browser.page.goto(&format!("{}{path}?lang=ja", fleet.server.web)).await?;
            let fits = "return document.documentElement.scrollWidth <= window.innerWidth";
            ensure!(browser.page.execute(fits, vec![]).await? == Value::Bool(true), "{path} is wider than {width}");
            let name = format!("{width}{}.png", path.replace('/', "-"));
            browser.screenshot(&fleet.world.folder().join(name)).await?;
        }
        browser.close().await?;
    }

    // A form that no page of ours would send changes nothing.
    let (place, skip) = (stopped["first"].as_str().context("a place")?, format!("/parked/{id}/skip"));
    let good = format!("record={place}&by=%E5%B1%B1%E7%94%B0&why=a+test");
    let before = fleet.world.records().await?.len();
    for (what, path, body, origin, expected) in [
        ("another site", skip.clone(), good.clone(), Some("http://evil.example"), 403),
        ("another site", format!("/parked/{id}/retry"), String::new(), Some("http://evil.example"), 403),
        ("nothing", skip.clone(), String::new(), None, 422),
        ("no reason", skip.clone(), format!("record={place}&by=x"), None, 422),
        ("no place", skip.clone(), good.replace(place, "x"), None, 422),
        ("a negative place", skip.clone(), good.replace(place, "-1:-1"), None, 422),
        ("another place", skip.clone(), good.replace(place, "0:2147483647"), None, 422),
        ("an unknown field", skip.clone(), format!("{good}&role=admin"), None, 400),
        ("a field too many", format!("/parked/{id}/retry"), "record=0:0".to_owned(), None, 400),
        ("no UTF-8", skip.clone(), format!("{good}%FF"), None, 400),
        ("too much", skip.clone(), "a".repeat(20_000), None, 413),
        ("no such thing", format!("/parked/{id}/burn"), good.clone(), None, 404),
        ("no such facility", "/parked/9999999999/skip".to_owned(), good.clone(), None, 404),
        ("one that is not parked", format!("/parked/{OTHER}/skip"), good.clone(), None, 422),
    ] {
        let (status, _, text) = fleet.send(&path, &body, origin).await?;
        ensure!(status == expected, "{what}: {status}: {text}");
    }
    ensure!(fleet.world.records().await?.len() == before, "something of it is in the log");
    fleet.waiting(4).await?;

    let (status, leads, text) = fleet.send(&format!("/parked/{id}/retry"), "", None).await?;
    ensure!((status, leads.as_str()) == (303, "/parked?tried=still"), "{status} {leads}: {text}");
    // A form that is sent twice is recorded once, and doesn't skip the next record.
    let once = format!("{good}&id=00000000-0000-4000-8000-000000000001");
    for _ in 0..2 {
        let (status, leads, text) = fleet.send(&skip, &once, None).await?;
        ensure!((status, leads.as_str()) == (303, "/parked?recorded=shown"), "{status} {leads}: {text}");
    }
    let (status, _, text) = fleet.send(&format!("{skip}?lang=en"), &good, None).await?;
    ensure!(status == 422 && text.contains("no longer the first"), "{status}: {text}");
    let stopped = fleet.waiting(2).await?;
    ensure!(ascending(&fleet.days(CODE, 2).await?));

    // A generation that was built before the second record is skipped applies the change when it is swapped in.
    fleet.server.run(&["rebuild"]).await?;
    let place = stopped["first"].as_str().context("a place")?;
    let (status, leads, text) = fleet.send(&skip, &format!("record={place}&by=y&why=z"), None).await?;
    ensure!((status, leads.as_str()) == (303, "/parked?recorded=shown"), "{status} {leads}: {text}");
    fleet.server.nothing_waits().await?;
    fleet.server.run(&["rebuild", "swap"]).await?;
    fleet.server.nothing_waits().await?;
    ensure!(ascending(&fleet.days(CODE, 3).await?));
    fleet.store_is_the_fold().await?;
    // A generation that is built afterwards skips the same records.
    fleet.server.run(&["rebuild", "--facts"]).await?;
    fleet.server.run(&["rebuild", "swap"]).await?;
    ensure!(ascending(&fleet.days(CODE, 3).await?));
    fleet.server.nothing_waits().await?;
    fleet.store_is_the_fold().await?;
    let page = fleet.page("/parked?lang=ja").await?;
    ensure!(page.contains("除外した記録") && page.contains("山田") && page.contains("a test"), "{page}");
    Ok(())
}
