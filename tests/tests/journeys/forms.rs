//! The forms of the pages in a browser: an opt-out from the intent to the list that follows it. Every step is shown
//! with author, time and reason, and no page is wider than its window.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use fantoccini::Locator;
use serde_json::Value;
use yomitori_facility::{Calendar, Opening};
use yomitori_proto::time::JAPAN;
use yomitori_simulation::clock;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::browser::Browser;
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
/// Type B without historical bytes: a possible ATR of a phone.
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
const SOON: Duration = Duration::from_secs(20);

/// The last instant of an hour by Japanese time, before today, at which the call centre answered.
fn opening_before_today(hour: &str) -> Result<DateTime<Utc>> {
    let (calendar, today) = (Calendar::bundled(), clock::now().with_timezone(&JAPAN).date_naive());
    let days = (1..30).map(|days| today - chrono::Duration::days(days));
    let mut instants = days.filter_map(|day| format!("{day}T{hour}:00+09:00").parse::<DateTime<Utc>>().ok());
    instants.find(|at| calendar.open(*at) == Opening::Open).context("an opening in a month")
}

fn typed(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%Y-%m-%dT%H:%M").to_string()
}

struct Office {
    world: World,
    server: Server,
    browser: Browser,
}

impl Office {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},はじめて診療所,東京都\n")).await?;
        wait::until("the facility", SOON, async || server.facility(CODE).await).await?;
        let browser = Browser::open(world.folder(), 1280, 900).await?;
        Ok(Self { world, server, browser })
    }

    async fn goto(&self, path: &str) -> Result<()> {
        Ok(self.browser.page.goto(&format!("{}{path}", self.server.web)).await?)
    }

    async fn click(&self, selector: &str) -> Result<()> {
        let element = self.browser.page.find(Locator::Css(selector)).await.with_context(|| selector.to_owned())?;
        element.click().await.with_context(|| format!("click {selector}"))
    }

    /// Replaces the text of a field by `text`, like a person's typing.
    async fn fill(&self, field: &str, text: &str) -> Result<()> {
        let set = "const field = document.getElementById(arguments[0]); field.value = arguments[1]; \
                   field.dispatchEvent(new Event('input', { bubbles: true }));";
        self.browser.page.execute(set, vec![field.into(), text.into()]).await?;
        Ok(())
    }

    async fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.server.run(&["status", "--facility", CODE, "--format", "json"]).await?)?)
    }
}

#[tokio::test]
async fn an_opt_out_goes_from_the_wish_to_the_list_that_follows_it() -> Result<()> {
    let office = Office::open("forms-opt-out").await?;
    let pcscd = Pcscd::start().await?;
    let agent = Agent::start(&office.world, &office.server, CODE, AgentPlan::with_phone_reader(&pcscd)).await?;
    let (called_at, confirmed_at) = (opening_before_today("10:00")?, opening_before_today("11:30")?);
    let shows = async |selector: &str, text: &str| office.browser.shows(selector, text, SOON).await;

    // The intent, on the facility's page. No call is needed yet.
    office.goto(&format!("/facilities/{CODE}?lang=en")).await?;
    office.click("#opt-out input[value=do_not_want]").await?;
    office.fill("why", "人手が足りない").await?;
    office.fill("by", "事務長 鈴木").await?;
    office.click("#opt-out form button").await?;
    shows(".outcome", "Recorded").await?;
    shows("#intent-now", "Opts out").await?;
    shows("#process", "No call needed").await?;
    office.goto("/calls").await?;
    shows("#calls", "No facility needs a call").await?;

    // The first phone read makes the call necessary; the open page shows it without a reload.
    let card = pcscd.insert(0, &PHONE)?;
    card.noticed().await?;
    card.remove();
    agent.face_result(clock::now()).await?;
    shows("#calls", "Call needed").await?;
    shows("#calls", "人手が足りない").await?;
    office.browser.screenshot(&office.world.folder().join("calls.png")).await?;

    for (severity, expected) in [("critical", 1), ("warning", 0)] {
        let found = office.server.get(&format!("/api/v1/facilities?severity={severity}")).await?;
        ensure!(found["facilities"].as_array().is_some_and(|found| found.len() == expected), "{severity}: {found}");
    }

    // A reader's role is changed from the terminal's table.
    office.goto(&format!("/facilities/{CODE}")).await?;
    office.click("#devices a[href*=reader-role]").await?;
    office.click("input[value=phone]").await?;
    office.click("form.entry button").await?;
    shows(".outcome", "Recorded").await?;
    office.goto("/calls").await?;

    // The call is recorded from there; the author's name is remembered.
    office.click("#calls .button.primary").await?;
    shows(".centre", "0800-080-4583").await?;
    office.fill("at", &typed(called_at)).await?;
    office.fill("reference", "A-1203").await?;
    office.click("form.entry button").await?;
    shows(".outcome", "Recorded").await?;
    shows("#calls", "Waiting for confirmation").await?;
    shows("#calls", "事務長 鈴木 called at").await?;

    office.click("#calls .button.primary").await?;
    office.fill("at", &typed(confirmed_at)).await?;
    office.click("form.entry button").await?;
    shows("#calls", "Waiting for the next list").await?;

    // A list that covers the facility and doesn't name it.
    let file = office.world.folder().join("list.csv");
    std::fs::write(&file, "code,name\n4719999015,よその医院\n")?;
    let file = file.to_string_lossy().into_owned();
    let today = clock::now().with_timezone(&JAPAN).format("%Y-%m-%d").to_string();
    let import = ["listing", "import", &file, "--source", "mhlw", "--as-of", &today, "--coverage", "full", "--by", "x"];
    office.server.run(&import).await?;
    wait::until("reflected", SOON, async || {
        let status = office.status().await?;
        ensure!(status["opt_out"]["key"] == "reflected", "{}", status["opt_out"]);
        Ok(())
    })
    .await?;
    shows("#calls", "No facility needs a call").await?;

    // Every step with author, time and reason.
    office.goto(&format!("/facilities/{CODE}?show=people&lang=en")).await?;
    shows("#process", "Applied to the list").await?;
    for needle in [
        "Listing intent",
        "人手が足りない",
        "Opt-out call made",
        "reference A-1203",
        "listing is not wanted",
        "Opt-out confirmed",
        "confirmed by the call centre",
        "事務長 鈴木",
        &when(called_at),
        &when(confirmed_at),
    ] {
        shows("#facts", needle).await?;
    }
    office.browser.screenshot(&office.world.folder().join("reflected.png")).await?;
    office.browser.close().await
}

fn when(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M").to_string()
}

#[tokio::test]
async fn a_rejected_form_keeps_its_input() -> Result<()> {
    let office = Office::open("forms-corrected").await?;
    let shows = async |selector: &str, text: &str| office.browser.shows(selector, text, SOON).await;
    // Half an hour before the call centre opens, on an opening day.
    let early = opening_before_today("08:00")? - chrono::Duration::minutes(30);
    office.goto(&format!("/facilities/{CODE}/record/called?lang=ja")).await?;
    office.fill("at", &typed(early)).await?;
    office.fill("reference", "A-7").await?;
    office.fill("by", "受付 田中").await?;
    office.click("form.entry button").await?;
    shows(".doubt", "受付時間外").await?;
    let kept = "return ['at', 'reference', 'by'].map(id => document.getElementById(id).value)";
    let kept = office.browser.page.execute(kept, vec![]).await?;
    ensure!(kept == serde_json::json!([typed(early), "A-7", "受付 田中"]), "{kept}");
    ensure!(office.status().await?["opt_out"]["key"] == "not_needed", "nothing is recorded before it is meant");
    office.click(".doubt input").await?;
    office.click("form.entry button").await?;
    shows(".outcome", "記録しました").await?;
    let status = office.status().await?;
    ensure!(status["opt_out"]["key"] == "called" && !status["call_warning"].is_null(), "{status:#}");

    // The steps of a facility are attested one by one.
    for (act, choices) in [
        ("purchased", &["input[value=reader]", "input[value=subsidised]"][..]),
        ("face-reader?model=canon-hi-cara", &["input[value=unknown]"]),
        ("reception", &[]),
        ("restarted", &[]),
        ("notice", &["input[value=supported_sticker]"]),
        ("read", &["input[value=ios]", "input[name=test]"]),
        ("flag-seen?flag=call_outside_hours", &[]),
        ("flag-snoozed?flag=call_outside_hours", &["input[value='7']"]),
    ] {
        office.goto(&format!("/facilities/{CODE}/record/{act}")).await?;
        for choice in choices {
            office.click(choice).await?;
        }
        if act.starts_with("flag") {
            office.fill("why", "確認中").await?;
        }
        office.click("form.entry button").await?;
        shows(".outcome", "記録しました").await.with_context(|| act.to_owned())?;
    }
    let status = office.status().await?;
    ensure!(
        status["face_reader"]["phone_native"] == "yes" && status["purchases"][0]["route"] == "subsidised",
        "{status:#}"
    );
    ensure!(status["evidence"]["level"] == "attested" && status["eligible"]["key"] == "eligible", "{status:#}");
    shows("#flags", "受付 田中さんが確認").await?;
    shows("#flags", "まで保留").await?;
    shows("#steps", "顔認証付きカードリーダーの再起動").await?;
    office.browser.close().await
}

#[tokio::test]
async fn a_person_assigns_a_row_of_the_list_on_the_page() -> Result<()> {
    let office = Office::open("forms-listing").await?;
    let shows = async |selector: &str, text: &str| office.browser.shows(selector, text, SOON).await;
    let import = async |as_of: &str, rows: &str| -> Result<String> {
        let file = office.world.folder().join(format!("{as_of}.csv"));
        std::fs::write(&file, format!("code,name\n{rows}"))?;
        let file = file.to_string_lossy().into_owned();
        let import =
            ["listing", "import", &file, "--source", "mhlw", "--as-of", as_of, "--coverage", "full", "--by", "x"];
        office.server.run(&import).await
    };
    import("2026-04-01", "4719999015,よその医院\n").await?;
    import("2026-05-01", "4719999015,よその医院\n1319999998,はじめて診療所\n").await?;
    import("2026-06-01", "4719999015,よその医院\n").await?;
    office.goto("/listing?lang=en").await?;
    shows("#kinds", "+1").await?;
    shows("#kinds", "1 resemble one of our facilities").await?;
    shows("#doubtful", "(50 %)").await?;
    office.click("#kinds a.name").await?;
    shows("#rows", "same name").await?;
    office.click("#rows a[href*=match]").await?;
    office.fill("why", "移転でコードが変わった").await?;
    office.fill("by", "医事課 佐藤").await?;
    office.click("form.entry button").await?;
    shows(".outcome", "Recorded").await?;
    wait::until("listed", SOON, async || {
        let status = office.status().await?;
        ensure!(status["listing"]["key"] == "listed", "{}", status["listing"]);
        Ok(())
    })
    .await?;
    office.goto(&format!("/facilities/{CODE}?show=people")).await?;
    shows("#facts", "Institution code changed").await?;
    shows("#facts", "移転でコードが変わった").await?;

    // The doubtful list waits until a person confirms it with a reason.
    office.goto("/listing").await?;
    office.click("#doubtful .acts a").await?;
    office.fill("why", "厚生労働省に確認した").await?;
    office.click("form.entry button").await?;
    shows(".outcome", "Recorded").await?;
    wait::until("no longer listed", SOON, async || {
        let status = office.status().await?;
        ensure!(status["listing"]["key"] == "delisted", "{}", status["listing"]);
        Ok(())
    })
    .await?;
    office.goto("/listing").await?;
    shows("#facts", "厚生労働省に確認した").await?;
    import("2026-07-01", "4719999015,よその医院\n1319999972,はじめて診療所\n").await?;
    office.goto("/listing").await?;
    office.click("#kinds a.name").await?;
    office.click("#rows a[href*=dismiss]").await?;
    office.fill("why", "同名の別施設").await?;
    office.click("form.entry button").await?;
    shows(".outcome", "Recorded").await?;
    office.goto("/listing").await?;
    shows("#facts", "同名の別施設").await?;
    office.goto("/listing/cadence").await?;
    shows("#cadence", "median 30.0 d, longest 31.0 d (n = 3)").await?;
    office.browser.close().await
}

#[tokio::test]
async fn no_page_is_wider_than_its_window() -> Result<()> {
    let office = Office::open("forms-width").await?;
    let long = "長い名前の".repeat(12);
    office.server.import(&format!("code,name,prefecture\n1319999023,{long},東京都\n")).await?;
    let why = "w".repeat(300);
    let record = ["intent", "set", "--intent", "do_not_want", "--facility", "1319999023", "--by", "x", "--why", &why];
    office.server.run(&record).await?;
    let attest = ["read", "record", "--facility", "1319999023", "--os", "ios", "--by", "x"];
    office.server.run(&attest).await?;
    let file = office.world.folder().join("list.csv");
    std::fs::write(
        &file,
        format!("code,name\n1319999023,{long}\n1319999031,{long}\n4719999015,{}\n", "x".repeat(200)),
    )?;
    let file = file.to_string_lossy().into_owned();
    let import = ["listing", "import", &file, "--source", "mhlw", "--as-of", "2026-04-01", "--coverage", "full"];
    office.server.run(&import).await?;
    let snapshot = office.server.get("/api/v1/listing").await?["snapshots"][0]["snapshot"].clone();
    let snapshot = snapshot.as_str().context("a snapshot")?;
    let narrow = Browser::open(office.world.folder(), 390, 844).await?;
    for browser in [&office.browser, &narrow] {
        for lang in ["ja", "en"] {
            for path in [
                "/".to_owned(),
                "/calls".to_owned(),
                "/rules".to_owned(),
                "/parked".to_owned(),
                "/listing".to_owned(),
                "/listing/cadence".to_owned(),
                format!("/listing/{snapshot}"),
                format!("/listing/{snapshot}?show=ours"),
                format!("/listing/{snapshot}/decide/match?code=1319999031"),
                "/facilities/1319999023".to_owned(),
                "/facilities/1319999023/record/called".to_owned(),
                "/facilities/1319999023/record/purchased".to_owned(),
                "/facilities/1319999023/record/notice".to_owned(),
                "/facilities/1319999023/record/flag-snoozed?flag=opt_out_needed".to_owned(),
            ] {
                let separator = if path.contains('?') { '&' } else { '?' };
                browser.page.goto(&format!("{}{path}{separator}lang={lang}", office.server.web)).await?;
                let wide = "return [document.documentElement.scrollWidth, window.innerWidth]";
                let widths = browser.page.execute(wide, vec![]).await?;
                ensure!(widths[0].as_i64() <= widths[1].as_i64(), "{path} is wider than its window: {widths}");
            }
        }
    }
    narrow.close().await?;
    office.browser.close().await
}
