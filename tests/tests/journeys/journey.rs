//! Journeys of people through the whole system: the first phone read, an opt-out, an attested read, two phones, a
//! restart.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use yomitori_simulation::clock;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::browser::Browser;
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
/// Type B without historical bytes: a possible ATR of a phone.
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
const MY_NUMBER_CARD: [u8; 13] = [0x3B, 0x88, 0x80, 0x01, 0x00, 0x4B, 0x51, 0xFF, 0xB3, 0x81, 0xD1, 0x00, 0x0F];

/// The cells of the only facility's row.
const ELIGIBLE: &str = "#rows tr td:nth-child(2)";
const OPT_OUT: &str = "#rows tr td:nth-child(3)";
const EVIDENCE: &str = "#rows tr td:nth-child(4)";

/// Limit until a page shows an event.
const SOON: Duration = Duration::from_secs(20);

struct Clinic {
    world: World,
    server: Server,
    pcscd: Pcscd,
    agent: Agent,
}

/// The ministry's notice asks for a phone to be held for one to two seconds.
const HELD: TimeDelta = TimeDelta::milliseconds(1500);
/// A transaction takes 3 to 7 seconds, and the patient consents on the screen.
const RESULT_AFTER: TimeDelta = TimeDelta::seconds(8);

/// Waits until `at`.
async fn come(at: DateTime<Utc>) -> Result<()> {
    wait::until("the instant", SOON, async || {
        ensure!(at <= clock::now(), "{at} has not come");
        Ok(())
    })
    .await
}

impl Clinic {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},はじめて診療所,東京都\n")).await?;
        let pcscd = Pcscd::start().await?;
        let agent = Agent::start(&world, &server, CODE, AgentPlan::with_phone_reader(&pcscd)).await?;
        Ok(Self { world, server, pcscd, agent })
    }

    /// Lays `atr` on the reader for as long as a phone is held there, then removes it; returns the start.
    async fn tap(&self, atr: &[u8]) -> Result<DateTime<Utc>> {
        let before = self.count("tap_observed").await?;
        let card = self.pcscd.insert(0, atr)?;
        card.noticed().await?;
        let laid_at = clock::now();
        come(laid_at + HELD).await?;
        card.remove();
        wait::until("the tap in the store", SOON, async || {
            ensure!(self.count("tap_observed").await? > before, "no new tap");
            Ok(())
        })
        .await?;
        Ok(laid_at)
    }

    /// The result of the phone that was laid there at `laid_at`, after a phone's usual delay; a faster result would
    /// belong to another patient.
    async fn result_of(&self, laid_at: DateTime<Utc>) -> Result<()> {
        come(laid_at + RESULT_AFTER).await?;
        self.agent.face_result(clock::now()).await
    }

    async fn count(&self, kind: &str) -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE kind = $1";
        Ok(self.world.store().await?.query_one(query, &[&kind]).await?.get(0))
    }

    async fn reader_is_known(&self) -> Result<()> {
        wait::until("the reader", SOON, async || {
            ensure!(self.count("reader_attached").await? > 0, "no reader was observed yet");
            Ok(())
        })
        .await
    }

    /// Waits until the status of the facility satisfies `right`.
    async fn becomes(&self, what: &str, right: impl Fn(&Value) -> bool) -> Result<Value> {
        wait::until(what, SOON, async || {
            let status: Value =
                serde_json::from_str(&self.server.run(&["status", "--facility", CODE, "--format", "json"]).await?)?;
            ensure!(right(&status), "it is {status:#}");
            Ok(status)
        })
        .await
    }
}

#[tokio::test]
async fn the_first_phone_read_makes_a_facility_eligible_on_an_open_page() -> Result<()> {
    let clinic = Clinic::open("journey-first-read").await?;
    clinic.reader_is_known().await?;
    let browser = Browser::open(clinic.world.folder(), 1280, 900).await?;
    browser.page.goto(&format!("{}/?lang=en", clinic.server.web)).await?;
    browser.shows(ELIGIBLE, "Not yet", SOON).await?;
    // A reload of the page would remove this.
    browser.page.execute("window.loadedOnce = true", vec![]).await?;

    let laid_at = clinic.tap(&PHONE).await?;
    browser.shows(EVIDENCE, "Taps only", SOON).await?;
    browser.shows(ELIGIBLE, "Not yet", SOON).await?;
    clinic.result_of(laid_at).await?;

    browser.shows(ELIGIBLE, "Eligible", SOON).await?;
    browser.shows(EVIDENCE, "Correlated", SOON).await?;
    let same = browser.page.execute("return window.loadedOnce === true", vec![]).await?;
    ensure!(same == Value::Bool(true), "the page was loaded again");
    browser.screenshot(&clinic.world.folder().join("first-read.png")).await?;

    let status = clinic.becomes("eligible", |status| status["eligible"]["key"] == "eligible").await?;
    ensure!(status["evidence"]["level"] == "correlated", "{status:#}");
    let api = clinic.server.facility(CODE).await?;
    ensure!(api.to_string().contains("\"correlated\""), "{api:#}");

    browser.page.goto(&format!("{}/facilities/{CODE}?lang=ja", clinic.server.web)).await?;
    browser.shows("#facts", "タップ", SOON).await?;
    browser.close().await
}

#[tokio::test]
async fn an_opt_out_is_shown_beside_eligibility_and_never_hides_it() -> Result<()> {
    let clinic = Clinic::open("journey-opt-out").await?;
    clinic.reader_is_known().await?;
    let browser = Browser::open(clinic.world.folder(), 390, 844).await?;
    browser.page.goto(&format!("{}/?lang=en", clinic.server.web)).await?;
    let laid_at = clinic.tap(&PHONE).await?;
    clinic.result_of(laid_at).await?;
    browser.shows(ELIGIBLE, "Eligible", SOON).await?;

    let wish = [
        "intent",
        "set",
        "--intent",
        "do_not_want",
        "--facility",
        "13-1-99-9901-5",
        "--by",
        "事務長",
        "--why",
        "人手不足",
    ];
    clinic.server.run(&wish).await?;
    browser.shows(OPT_OUT, "Opts out", SOON).await?;
    browser.shows(OPT_OUT, "Call needed", SOON).await?;
    browser.shows(ELIGIBLE, "Eligible", SOON).await?;

    clinic.server.run(&["call", "record", "--sure", "--facility", CODE, "--by", "事務長"]).await?;
    browser.shows(OPT_OUT, "Called", SOON).await?;
    browser.shows(ELIGIBLE, "Eligible", SOON).await?;
    let status = clinic.becomes("called", |status| status["opt_out"]["key"] == "called").await?;
    ensure!(status["eligible"]["key"] == "eligible" && status["intent"]["key"] == "do_not_want", "{status:#}");

    // Author, time and reason are in the timeline.
    browser.page.goto(&format!("{}/facilities/{CODE}?lang=en", clinic.server.web)).await?;
    browser.shows("#facts", "事務長", SOON).await?;
    browser.shows("#facts", "人手不足", SOON).await?;
    let wide = "return document.documentElement.scrollWidth <= window.innerWidth";
    ensure!(browser.page.execute(wide, vec![]).await? == Value::Bool(true), "the page is wider than a phone");
    browser.close().await
}

#[tokio::test]
async fn a_physical_card_and_a_file_make_no_phone_read() -> Result<()> {
    let clinic = Clinic::open("journey-card").await?;
    clinic.reader_is_known().await?;
    clinic.tap(&MY_NUMBER_CARD).await?;
    clinic.agent.face_result(clock::now()).await?;
    wait::until("the file in the store", SOON, async || {
        ensure!(clinic.count("linkage_result_observed").await? == 1, "no file yet");
        Ok(())
    })
    .await?;
    clinic.becomes("no evidence", |status| status["evidence"]["key"] == "never").await?;
    Ok(())
}

#[tokio::test]
async fn a_named_person_attests_a_read_that_no_reader_shows() -> Result<()> {
    let clinic = Clinic::open("journey-attested").await?;
    let model = ["--model", "canon-hi-cara", "--phone-native", "unknown", "--by", "技術者"];
    let model = [&["face-reader", "set", "--facility", CODE][..], &model].concat();
    clinic.server.run(&model).await?;
    clinic.becomes("not observable", |status| status["eligible"]["key"] == "not_observable").await?;
    clinic.server.run(&["read", "record", "--facility", CODE, "--os", "ios", "--by", "受付"]).await?;
    let status = clinic.becomes("eligible", |status| status["eligible"]["key"] == "eligible").await?;
    ensure!(status["evidence"]["level"] == "attested", "{status:#}");
    Ok(())
}

#[tokio::test]
async fn observations_during_a_server_outage_arrive_after_it() -> Result<()> {
    let mut clinic = Clinic::open("journey-away").await?;
    clinic.reader_is_known().await?;
    clinic.server.kill()?;
    for _ in 0..5 {
        clinic.agent.face_result(clock::now()).await?;
    }
    clinic.server.serve().await?;
    wait::until("the files in the store", Duration::from_secs(90), async || {
        let count = clinic.count("linkage_result_observed").await?;
        ensure!(count == 5, "{count} files of 5");
        Ok(())
    })
    .await?;
    clinic.becomes("connected", |status| status["connected"] == true).await?;
    Ok(())
}

#[tokio::test]
async fn server_and_agent_stop_promptly_on_request() -> Result<()> {
    let mut clinic = Clinic::open("journey-end").await?;
    clinic.reader_is_known().await?;
    let limit = Duration::from_secs(10);
    let agent = clinic.agent.process()?.terminate(limit).await?;
    ensure!(agent.success(), "the agent ended with {agent}");
    let stopped = wait::until("the agent's end in the store", SOON, async || {
        ensure!(clinic.count("agent_stopped").await? == 1, "not yet");
        Ok(())
    });
    stopped.await.context("the agent says that it stops")?;
    let server = clinic.server.process()?.terminate(limit).await?;
    ensure!(server.success(), "the server ended with {server}");
    Ok(())
}
