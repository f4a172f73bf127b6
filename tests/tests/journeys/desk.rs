//! The desk page for reception staff, and its protection against other pages.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fantoccini::Locator;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use yomitori_tests::hostile::chance::{chance, mutated, noise};
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::browser::Browser;
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
const SOON: Duration = Duration::from_secs(20);

struct Clinic {
    world: World,
    server: Server,
    agent: Agent,
    _pcscd: Pcscd,
}

impl Clinic {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},うけつけ診療所,東京都\n")).await?;
        let pcscd = Pcscd::start().await?;
        let plan = AgentPlan { desk: true, ..AgentPlan::with_phone_reader(&pcscd) };
        let agent = Agent::start(&world, &server, CODE, plan).await?;
        Ok(Self { world, server, agent, _pcscd: pcscd })
    }

    /// The bodies of the facts of `kind`, oldest first.
    async fn facts(&self, kind: &str) -> Result<Vec<Value>> {
        let query = "SELECT event::text FROM projection.fact WHERE kind = $1 ORDER BY seq";
        let rows = self.world.store().await?.query(query, &[&kind]).await?;
        // A fact is an object with its kind and body.
        rows.iter().map(|row| Ok(serde_json::from_str::<Value>(row.get(0))?[kind].take())).collect()
    }

    async fn one_fact(&self, kind: &str) -> Result<Value> {
        wait::until(kind, SOON, async || {
            let mut facts = self.facts(kind).await?;
            ensure!(facts.len() == 1, "there are {}", facts.len());
            facts.pop().context("one")
        })
        .await
    }

    async fn entries(&self) -> Result<Vec<Value>> {
        let heard = ask(&self.agent.desk, &format!("GET /state HTTP/1.1\r\nHost: {}\r\n\r\n", self.host())).await?;
        let (_, body) = heard.split_once("\r\n\r\n").context("an answer")?;
        let state: Value = serde_json::from_str(body).context("the state")?;
        Ok(state["entries"].as_array().context("entries")?.clone())
    }

    fn host(&self) -> &str {
        self.agent.desk.trim_start_matches("http://")
    }
}

/// Sends one raw request; returns the whole answer.
async fn ask(page: &str, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect(page.trim_start_matches("http://")).await.context("reach the page")?;
    stream.write_all(request.as_bytes()).await?;
    let mut heard = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut heard)).await.context("no end")??;
    Ok(String::from_utf8(heard)?)
}

async fn press(browser: &Browser, selector: &str) -> Result<()> {
    let button = wait::until(selector, SOON, async || {
        let button = browser.page.find(Locator::Css(selector)).await?;
        ensure!(button.is_displayed().await?, "it is not shown");
        Ok(button)
    });
    button.await?.click().await.with_context(|| format!("press {selector}"))
}

#[tokio::test]
async fn a_desk_entry_of_at_most_two_presses_is_on_the_dashboard() -> Result<()> {
    let clinic = Clinic::open("desk-enters").await?;
    let browser = Browser::open(clinic.world.folder(), 800, 600).await?;
    browser.page.goto(&clinic.agent.desk).await?;
    browser.shows("#lines .line:nth-child(1) p", "つながっています", SOON).await?;
    browser.shows("#lines .line:nth-child(2) p", "使えます", SOON).await?;
    browser.shows("#lines .line:nth-child(3) p", "見えています", SOON).await?;
    browser.shows("#entries", "まだ記録がありません", SOON).await?;

    // One press.
    press(&browser, "[data-key='1']").await?;
    browser.shows("#said", "記録しました", SOON).await?;
    browser.shows("#entries li:first-child", "iPhoneで読めた", SOON).await?;
    ensure!(clinic.one_fact("smartphone_read_attested").await?["os"] == "ios");
    // Two presses: the cause is chosen from a list that fits the screen.
    press(&browser, "[data-key='3']").await?;
    browser.screenshot(&clinic.world.folder().join("desk-causes-ja.png")).await?;
    let fits = "const d = document.querySelector('dialog[open]'); return d.scrollHeight <= d.clientHeight + 1";
    ensure!(browser.page.execute(fits, vec![]).await? == Value::Bool(true), "the causes don't fit the screen");
    press(&browser, "dialog[open] button[data-entry*='PatientDevice.PinWrong']").await?;
    ensure!(clinic.one_fact("smartphone_read_failed").await?["cause"] == "PatientDevice.PinWrong");
    press(&browser, "[data-key='4']").await?;
    press(&browser, "dialog[open] button[data-entry*='PhysicalCard']").await?;
    ensure!(clinic.one_fact("fallback_used").await?["fallback"] == "PhysicalCard");
    // By keyboard only.
    browser.page.find(Locator::Css("body")).await?.send_keys("5").await?;
    clinic.one_fact("face_reader_restarted").await?;
    press(&browser, "[data-key='6']").await?;
    ensure!(clinic.one_fact("notice_hung").await?["notice"] == "not_supported_poster");
    browser.shows("#entries li:nth-child(5)", "iPhoneで読めた", SOON).await?;
    browser.screenshot(&clinic.world.folder().join("desk-ja.png")).await?;

    // The dashboard shows the entry, and also its withdrawal.
    let dashboard = Browser::open(clinic.world.folder(), 1280, 900).await?;
    dashboard.page.goto(&format!("{}/facilities/{CODE}?lang=ja", clinic.server.web)).await?;
    dashboard.shows("#facts", "暗証番号が違います", SOON).await?;
    dashboard.page.goto(&format!("{}/?lang=en", clinic.server.web)).await?;
    dashboard.shows("#rows tr td:nth-child(4)", "Attested", SOON).await?;
    press(&browser, "#entries li:nth-child(5) .undo").await?;
    browser.shows("#entries li:nth-child(5)", "取消済み", SOON).await?;
    let withdrawn = clinic.one_fact("entry_withdrawn").await?;
    ensure!(withdrawn["seq"].is_u64(), "{withdrawn}");
    dashboard.shows("#rows tr td:nth-child(2)", "Not yet", SOON).await?;
    dashboard.close().await?;

    browser.page.goto(&format!("{}/?lang=en", clinic.agent.desk)).await?;
    browser.shows("#entries li:nth-child(5)", "Read with iPhone", SOON).await?;
    browser.screenshot(&clinic.world.folder().join("desk-en.png")).await?;
    press(&browser, "[data-key='3']").await?;
    ensure!(browser.page.execute(fits, vec![]).await? == Value::Bool(true), "the causes don't fit the screen");
    browser.screenshot(&clinic.world.folder().join("desk-causes-en.png")).await?;
    press(&browser, "dialog[open] [data-close]").await?;
    press(&browser, "[data-key='4']").await?;
    browser.screenshot(&clinic.world.folder().join("desk-fallbacks-en.png")).await?;
    let page_fits =
        "const e = document.documentElement; return e.scrollHeight <= innerHeight && e.scrollWidth <= innerWidth";
    ensure!(browser.page.execute(page_fits, vec![]).await? == Value::Bool(true), "the page doesn't fit the screen");
    browser.close().await
}

#[tokio::test]
async fn the_page_shows_since_when_the_server_is_down_and_keeps_entries_across_a_restart() -> Result<()> {
    let mut clinic = Clinic::open("desk-away").await?;
    let browser = Browser::open(clinic.world.folder(), 800, 600).await?;
    browser.page.goto(&clinic.agent.desk).await?;
    browser.shows("#lines .line:nth-child(1) p", "つながっています", SOON).await?;
    clinic.server.kill()?;
    browser.shows("#lines .line.bad p", "からつながりません", SOON).await?;
    press(&browser, "[data-key='2']").await?;
    browser.shows("#entries li:first-child", "Androidで読めた", SOON).await?;
    browser.shows("#lines .next", "未送信", SOON).await?;
    browser.screenshot(&clinic.world.folder().join("desk-away-ja.png")).await?;

    clinic.agent.kill()?;
    browser.shows("#lines .line.bad p", "応答しません", SOON).await?;
    clinic.agent.launch()?;
    browser.shows("#lines .line.bad p", "からつながりません", SOON).await?;
    browser.shows("#entries li:first-child", "Androidで読めた", SOON).await?;
    // The page that was open all the time continues to work.
    press(&browser, "#entries .undo").await?;
    browser.shows("#entries li:first-child", "取消済み", SOON).await?;
    clinic.server.serve().await?;
    clinic.one_fact("smartphone_read_attested").await?;
    clinic.one_fact("entry_withdrawn").await?;
    browser.shows("#lines .line:nth-child(1) p", "つながっています", Duration::from_secs(90)).await?;
    browser.close().await
}

#[tokio::test]
async fn requests_that_the_page_did_not_make_are_refused() -> Result<()> {
    let clinic = Clinic::open("desk-attacks").await?;
    let (desk, host) = (&clinic.agent.desk, clinic.host().to_owned());
    let origin = format!("Origin: http://{host}\r\n");
    let body = r#"{"entry":"read","os":"ios"}"#;
    let post = |host: &str, headers: &str, body: &str| {
        let length = body.len();
        format!("POST /entries HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
    };
    wait::until("the page", SOON, async || ask(desk, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await).await?;
    let json = "Content-Type: application/json\r\n";
    for (attack, request, status) in [
        (
            "a form of another site",
            post(
                &host,
                "Origin: http://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\n",
                "entry=read",
            ),
            403,
        ),
        ("a simple request", post(&host, &format!("{origin}Content-Type: text/plain\r\n"), body), 403),
        ("a request without the token", post(&host, &format!("{origin}{json}"), body), 403),
        ("a guessed token", post(&host, &format!("{origin}{json}X-Yomitori-Desk: 00\r\n"), body), 403),
        ("no origin", post(&host, json, body), 403),
        ("a sandboxed origin", post(&host, &format!("Origin: null\r\n{json}"), body), 403),
        (
            "a rebound name",
            format!(
                "GET /state HTTP/1.1\r\nHost: evil.example:{}\r\n\r\n",
                host.rsplit(':').next().unwrap_or_default()
            ),
            421,
        ),
        (
            "a rebound name that enters",
            post("evil.example", &format!("Origin: http://evil.example\r\n{json}"), body),
            421,
        ),
        (
            "a frame",
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Dest: iframe\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
            403,
        ),
        (
            "a script of another site",
            format!("GET /state HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: same-site\r\n\r\n"),
            403,
        ),
        (
            "a question before a request",
            format!(
                "OPTIONS /entries HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
            ),
            403,
        ),
        ("a patient in the address", format!("GET /?patient=1 HTTP/1.1\r\nHost: {host}\r\n\r\n"), 200),
    ] {
        let heard = ask(desk, &request).await?;
        ensure!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{attack}: {heard}");
        let lower = heard.to_ascii_lowercase();
        ensure!(!lower.contains("access-control-allow"), "{attack}: {heard}");
        for header in ["x-frame-options: deny", "frame-ancestors 'none'", "cache-control: no-store"] {
            ensure!(lower.contains(header), "{attack}: no `{header}` in {heard}");
        }
    }
    // With the token and an additional field it is rejected as well: there is no place for patient data.
    let state = ask(desk, &format!("GET /state HTTP/1.1\r\nHost: {host}\r\n\r\n")).await?;
    let token = state.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next()).context("a token")?;
    let own = format!("{origin}{json}X-Yomitori-Desk: {token}\r\n");
    for body in [
        r#"{"entry":"read","os":"ios","patient":"1234567"}"#,
        r#"{"entry":"restarted","note":"山田太郎"}"#,
        r#"{"entry":"failed","cause":"山田太郎"}"#,
        r#"{"entry":"read","os":"unknown"}"#,
        "{",
        "",
    ] {
        let heard = ask(desk, &post(&host, &own, body)).await?;
        ensure!(heard.starts_with("HTTP/1.1 400 "), "{body}: {heard}");
    }
    let heard = ask(desk, &post(&host, &own, &format!("{}{body}", " ".repeat(4_000)))).await?;
    ensure!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    ensure!(clinic.entries().await?.is_empty(), "something was entered");
    ensure!(ask(desk, &post(&host, &own, body)).await?.starts_with("HTTP/1.1 201 "), "the page itself can enter");
    ensure!(clinic.entries().await?.len() == 1);
    only_loopback(&host)
}

#[tokio::test]
async fn noise_and_idle_connections_do_not_block_the_page() -> Result<()> {
    let mut chance = chance("desk-noise")?;
    let mut clinic = Clinic::open("desk-noise").await?;
    let page = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", clinic.host());
    wait::until("the page", SOON, async || ask(&clinic.agent.desk, &page).await).await?;
    let address = clinic.host().to_owned();
    let mut idle = Vec::new();
    for round in 0..60 {
        let mut stream = TcpStream::connect(&address).await?;
        let mut request = page.clone().into_bytes();
        match round % 3 {
            0 => request = noise(&mut chance, 600),
            1 => request = mutated(&request, &mut chance),
            _ => request.truncate(20),
        }
        stream.write_all(&request).await.ok();
        idle.push(stream);
    }
    wait::until("the page among all that", SOON, async || {
        let heard = ask(&clinic.agent.desk, &page).await?;
        ensure!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
        Ok(())
    })
    .await?;
    ensure!(clinic.entries().await?.is_empty(), "noise was entered");
    clinic.agent.process()?.alive()
}

/// Every listener on the page's port is on loopback.
fn only_loopback(host: &str) -> Result<()> {
    let port: u16 = host.rsplit(':').next().context("a port")?.parse()?;
    let here = ["0100007F", "00000000000000000000000001000000"];
    let mut found = 0;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let mut fields = line.split_whitespace().skip(1);
            let (address, port_here) = fields.next().and_then(|local| local.split_once(':')).context("an address")?;
            if u16::from_str_radix(port_here, 16)? == port && fields.nth(1) == Some("0A") {
                found += 1;
                ensure!(here.contains(&address), "it listens on {address}");
            }
        }
    }
    ensure!(found > 0, "nothing listens on {port}");
    Ok(())
}

#[tokio::test]
async fn a_page_of_another_origin_can_change_nothing() -> Result<()> {
    let clinic = Clinic::open("desk-elsewhere").await?;
    let desk = clinic.agent.desk.clone();
    let evil = format!(
        "<!doctype html><title>evil</title><iframe name=f></iframe><iframe id=framed src=\"{desk}/\"></iframe>\
         <form id=form method=post target=f action=\"{desk}/entries\" enctype=text/plain>\
         <input name='{{\"entry\":\"read\",\"os\":\"ios\",\"x\":\"' value='\"}}'></form>"
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let elsewhere = format!("http://localhost:{}/", listener.local_addr()?.port());
    let serves = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            if !matches!(stream.read(&mut request).await, Ok(1..)) {
                continue;
            }
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{evil}",
                evil.len()
            );
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    let browser = Browser::open(clinic.world.folder(), 800, 600).await?;
    browser.page.goto(&desk).await?;
    browser.shows("#entries", "まだ記録がありません", SOON).await?;
    browser.page.goto(&elsewhere).await?;
    let script = r#"
        const [desk, done] = arguments, body = '{"entry":"read","os":"ios"}';
        const json = { 'content-type': 'application/json', 'x-yomitori-desk': '0' };
        const outcome = (promise) => promise.then(async (a) => a.type + ' ' + (await a.text()).length, () => 'refused');
        document.getElementById('form').submit();
        Promise.all([
          outcome(fetch(desk + '/state')),
          outcome(fetch(desk + '/entries', { method: 'POST', headers: json, body })),
          outcome(fetch(desk + '/entries', { method: 'POST', body, mode: 'no-cors' })),
          outcome(fetch(desk + '/', { mode: 'no-cors' })),
        ]).then(done);
    "#;
    let outcome = browser.page.execute_async(script, vec![desk.clone().into()]).await?;
    // The answer to a cross-origin request without preflight is not visible to the page.
    ensure!(
        outcome == serde_json::json!(["refused", "refused", "refused", "refused"])
            || outcome == serde_json::json!(["refused", "refused", "opaque 0", "opaque 0"]),
        "{outcome}"
    );
    browser.page.clone().enter_frame(Some(1)).await?;
    let framed = browser.page.source().await?;
    ensure!(!framed.contains("data-entry"), "the page stands in a frame: {framed}");
    ensure!(clinic.entries().await?.is_empty(), "something was entered");
    serves.abort();
    browser.close().await
}
