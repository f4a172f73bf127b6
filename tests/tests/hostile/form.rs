//! Invalid forms: from other sites, with wrong names, too large, in an unknown encoding, without required fields. Each
//! is rejected with a reason, and none of them enters the log.

use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand::seq::IndexedRandom;
use reqwest::header::{CONTENT_TYPE, HOST, ORIGIN};
use reqwest::{Client, Method, redirect};
use yomitori_proto::event::{LogBody, Origin};
use yomitori_tests::hostile::chance::{chance, mutated, noise, print_line};
use yomitori_tests::hostile::siege::{Siege, VICTIM};

const FORM: &str = "application/x-www-form-urlencoded";
/// A valid form.
const GOOD: &str = "intent=do_not_want&by=%E9%88%B4%E6%9C%A8&why=no+staff";

/// A client that sends forms and follows no redirection.
struct Sender {
    client: Client,
    web: String,
}

impl Sender {
    fn new(web: &str) -> Result<Self> {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build()?;
        Ok(Self { client, web: web.to_owned() })
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<(u16, String)> {
        let mut request = self.client.request(Method::POST, format!("{}{path}", self.web)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.context("send a form")?;
        Ok((answer.status().as_u16(), answer.text().await.unwrap_or_default()))
    }

    /// Sends a form like one of our pages.
    async fn ours(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<(u16, String)> {
        let origin = self.web.clone();
        self.send(path, &[(ORIGIN.as_str(), &origin), (CONTENT_TYPE.as_str(), FORM)], body.into()).await
    }
}

/// The number of people's statements so far, except imports.
async fn statements(siege: &Siege) -> Result<usize> {
    let person = |record: &&yomitori_proto::event::LogRecord| {
        matches!(&record.body, LogBody::Statement { origin: Origin::Person(_), .. })
    };
    Ok(siege.log().await?.iter().filter(person).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_form_is_rejected_and_not_recorded() -> Result<()> {
    let mut siege = Siege::begin("hostile-forms").await?;
    let sender = Sender::new(&siege.server.web)?;
    let before = statements(&siege).await?;
    let (path, web) = (format!("/facilities/{VICTIM}/record/intent"), siege.server.web.clone());
    let media = (CONTENT_TYPE.as_str(), FORM);
    let own = (ORIGIN.as_str(), web.as_str());
    let port = web.rsplit(':').next().context("a port")?;
    let rebound = format!("http://evil.example:{port}");
    let headers = vec![
        ("a foreign origin", vec![media, (ORIGIN.as_str(), "http://evil.example")], 403),
        ("no origin at all", vec![media], 403),
        ("an opaque origin", vec![media, (ORIGIN.as_str(), "null")], 403),
        ("another port of this machine", vec![media, (ORIGIN.as_str(), "http://127.0.0.1:1")], 403),
        ("a browser that knows better", vec![media, own, ("sec-fetch-site", "cross-site")], 403),
        ("a rebound name", vec![media, (HOST.as_str(), "evil.example"), (ORIGIN.as_str(), &rebound)], 421),
        ("a foreign host", vec![media, own, (HOST.as_str(), "10.0.0.1")], 421),
        ("text", vec![own, (CONTENT_TYPE.as_str(), "text/plain")], 415),
        ("JSON", vec![own, (CONTENT_TYPE.as_str(), "application/json")], 415),
        ("no kind", vec![own], 415),
    ];
    for (what, headers, expected) in headers {
        let (status, text) = sender.send(&path, &headers, GOOD.into()).await?;
        ensure!(status == expected, "{what}: {status}: {text}");
        ensure!(text.chars().count() > 200, "{what}: nothing is said: {text}");
    }
    for decision in ["release", "match", "dismiss"] {
        let path = format!("/listing/00000000-0000-0000-0000-000000000001/decide/{decision}");
        let (status, text) =
            sender.send(&path, &[media, (ORIGIN.as_str(), "http://evil.example")], GOOD.into()).await?;
        ensure!(status == 403, "{decision}: {status}: {text}");
    }
    let bodies: Vec<(&str, Vec<u8>, u16, &[&str])> = vec![
        ("too large", vec![b'a'; 20_000], 413, &["16 KiB"]),
        ("far too large", vec![b'a'; 2_000_000], 413, &["16 KiB"]),
        ("no UTF-8", b"intent=do_not_want&by=%FF%FE&why=x".to_vec(), 400, &["UTF-8"]),
        ("raw bytes", vec![0xFF, 0x00, 0x80], 400, &["UTF-8"]),
        ("an unknown field", format!("{GOOD}&role=admin").into(), 400, &["role"]),
        ("a field twice", format!("{GOOD}&by=other").into(), 400, &["twice"]),
        ("nothing", Vec::new(), 422, &["intent-beside", "why-beside", "by-beside", "This field is required"]),
        ("no name", b"intent=do_not_want&by=+&why=x".to_vec(), 422, &["by-beside", "This field is required"]),
        ("no reason", b"intent=do_not_want&by=x".to_vec(), 422, &["This field is required"]),
        ("a bell", b"intent=do_not_want&by=x%07&why=y".to_vec(), 422, &["control characters"]),
        ("two lines", b"intent=do_not_want&by=x&why=a%0D%0Ab".to_vec(), 422, &["control characters"]),
        (
            "a name without end",
            format!("intent=do_not_want&why=x&by={}", "x".repeat(3000)).into(),
            422,
            &["At most 100"],
        ),
        ("a word of another list", b"intent=burn&by=x&why=y".to_vec(), 422, &["Choose one of the listed values"]),
        ("a script", b"intent=do_not_want&by=%3Cscript%3Ealert(1)%3C/script%3E".to_vec(), 422, &["&lt;script&gt;"]),
    ];
    for (what, body, expected, needles) in bodies {
        let (status, text) = sender.ours(&format!("{path}?lang=en"), body).await?;
        ensure!(status == expected, "{what}: {status}: {text}");
        for needle in needles {
            ensure!(text.contains(needle), "{what}: `{needle}` is missing: {text}");
        }
        ensure!(!text.contains("<script>alert"), "{what} is echoed as it is");
    }
    for (path, expected) in [
        (format!("/facilities/{VICTIM}/record/burn"), 404),
        ("/facilities/9999999999/record/intent".to_owned(), 404),
        (format!("/facilities/{VICTIM}/record/"), 404),
        (format!("/facilities/{VICTIM}"), 405),
        ("/listing/00000000-0000-0000-0000-000000000001/decide/release".to_owned(), 404),
        ("/listing/x/decide/release".to_owned(), 404),
        ("/listing/x/decide/burn".to_owned(), 404),
        ("/calls".to_owned(), 405),
        ("/listing".to_owned(), 405),
    ] {
        let (status, text) = sender.ours(&path, GOOD).await?;
        ensure!(status == expected, "{path}: {status}: {text}");
    }
    ensure!(statements(&siege).await? == before, "something of it is in the log");

    // A valid form is accepted once, even if the same form is sent repeatedly.
    let once = format!("{GOOD}&id=00000000-0000-4000-8000-000000000001");
    let twice = tokio::join!(sender.ours(&path, once.clone()), sender.ours(&path, once));
    ensure!(twice.0?.0 == 303 && twice.1?.0 == 303);
    ensure!(statements(&siege).await? == before + 1, "stated more than once");
    siege.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_makes_the_server_fail() -> Result<()> {
    const ACTS: [&str; 8] =
        ["intent", "called", "call-planned", "notice", "flag-snoozed", "read", "withdraw", "maintenance"];
    const NAMES: [&str; 9] = ["intent", "at", "by", "why", "flag", "days", "id", "sure", "back"];
    let mut chance = chance("forms")?;
    let mut siege = Siege::begin("hostile-forms-chance").await?;
    let sender = Sender::new(&siege.server.web)?;
    let mut answers = std::collections::BTreeMap::new();
    for round in 0..300 {
        let mut body = match round % 3 {
            0 => mutated(GOOD.as_bytes(), &mut chance),
            _ => Vec::new(),
        };
        for _ in 0..chance.random_range(0..5) {
            body.extend(format!("&{}=", NAMES.choose(&mut chance).unwrap_or(&"by")).bytes());
            body.extend(noise(&mut chance, 20));
        }
        let act = ACTS.choose(&mut chance).unwrap_or(&"intent");
        let (status, text) = sender.ours(&format!("/facilities/{VICTIM}/record/{act}"), body.clone()).await?;
        ensure!(
            matches!(status, 303 | 400 | 422),
            "round {round}: {:?}: {status}: {text}",
            String::from_utf8_lossy(&body)
        );
        *answers.entry(status).or_insert(0) += 1;
    }
    print_line(&format!("{answers:?}"));
    ensure!(siege.parked().await? == 0, "a statement stopped its facility");
    siege.holds().await
}
