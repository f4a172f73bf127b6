//! An office with one facility, and its two entry points for statements: the pages and the command line.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use chrono::Duration;
use reqwest::redirect::Policy;
use serde_json::Value;
use yomitori_proto::event::{AgentStarted, Event, FallbackUsed, LogBody, LogRecord, Observation, ReaderAttached};
use yomitori_proto::id::{Boot, FacilityId, Life, ReaderKey, Seq, TerminalId};
use yomitori_proto::vocabulary::{CollectionLevel, ReaderRole, StartReason};
use yomitori_server::statement::{Input, Moment, Statement, Subject};
use yomitori_simulation::clock;
use yomitori_simulation::log;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

pub(super) const CODE: &str = "1319999015";
const TERMINAL: &str = "018f0000-0000-7000-8000-00000000a001";
pub(super) const LIFE: &str = "018f0000-0000-4000-8000-00000000b001";
pub(super) const MISTAKE: &str = "018f0000-0000-4000-8000-00000000aa01";

/// A reader of the terminal.
const READER: &str = "00000000000000c1";
/// Statements that change something once, and are refused when they are made again.
pub(super) const ONCE: [&str; 7] = ["code", "suspend", "resume", "retire", "revoke", "entry-withdraw", "withdraw"];

pub(super) type Fields = BTreeMap<&'static str, String>;

/// The result of an entry point for an input.
#[derive(PartialEq, Debug)]
pub(super) enum Verdict {
    Accepted,
    /// The message that both entry points give.
    Refused(String),
}

pub(super) struct Office {
    pub(super) world: World,
    pub(super) server: Server,
    pub(super) browser: reqwest::Client,
}

impl Office {
    /// A server with one facility that was registered manually, and a terminal whose desk page was used.
    pub(super) async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        let register = ["facility", "register", "--code", "13-1-99-9901-5", "--name", "ひとこと医院"];
        server.run(&[&register[..], &["--by", "鈴木", "--why", "開院"]].concat()).await?;
        let browser = reqwest::Client::builder().redirect(Policy::none()).build()?;
        let office = Self { world, server, browser };
        office.terminal().await?;
        office.run("reception record --why before --at 2026-04-01T09:00 --id", &[MISTAKE]).await?;
        Ok(office)
    }

    async fn terminal(&self) -> Result<()> {
        let at = "2026-04-01T00:00:00Z".parse()?;
        let observation = |seq, event: Event| Observation { seq: Seq(seq), occurred_at: at, observed_at: at, event };
        let started = AgentStarted {
            boot: Boot(uuid::Uuid::nil()),
            agent_version: "0.1.0".to_owned(),
            reason: StartReason::Boot,
            config_hash: 0,
            collection: CollectionLevel::Names,
        };
        let used = FallbackUsed { fallback: "SavedPdf".to_owned(), used_at: at };
        let reader: ReaderKey = READER.parse()?;
        let attached = ReaderAttached { reader, model: None, vid: None, pid: None, role: ReaderRole::Unknown };
        let observations =
            vec![observation(1, started.into()), observation(2, used.into()), observation(3, attached.into())];
        let (terminal, life): (TerminalId, Life) = (TERMINAL.parse()?, LIFE.parse()?);
        let body = LogBody::Terminal { terminal, life, sent_at: at, observations };
        let record = LogRecord { facility: FacilityId::of_code(CODE), received_at: at, body };
        let (address, topic) = (self.world.kafka.address.clone(), self.world.topic.clone());
        tokio::task::spawn_blocking(move || log::append(&address, &topic, [record])).await??;
        wait::until("the terminal to be known", PATIENCE, async || {
            let status = self.status(CODE).await?;
            ensure!(status["terminals"][0]["terminal"] == TERMINAL, "{status:#}");
            ensure!(status["readers"][0]["key"] == READER, "{status:#}");
            Ok(())
        })
        .await
    }

    pub(super) async fn status(&self, code: &str) -> Result<Value> {
        Ok(self.server.facility(code).await?["facility"]["status"].take())
    }

    /// Runs a command for the facility, by 鈴木.
    pub(super) async fn run(&self, words: &str, more: &[&str]) -> Result<String> {
        let words: Vec<&str> = words.split(' ').collect();
        self.server.run(&[&words[..], more, &["--facility", CODE, "--by", "鈴木"]].concat()).await
    }

    pub(super) async fn on_the_command_line(&self, statement: &Statement, fields: &Fields) -> Result<Verdict> {
        let mut words: Vec<String> = statement.command.map(str::to_owned).into();
        if statement.about != Subject::Registered {
            words.extend(["--facility", CODE].map(str::to_owned));
        }
        for (name, text) in fields {
            if ["sure", "test", "correction"].contains(name) {
                words.push(format!("--{name}"));
            } else {
                words.push(format!("--{}={text}", name.replace('_', "-")));
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = self.server.try_run(&words).await?;
        let (said, error) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        match output.status.code() {
            Some(0) => {
                let hint = said.contains("--facility 13") || !said.contains("statement withdraw");
                ensure!(hint || said.contains("all facilities"), "{words:?}: {said}");
                // Some statements register another facility, or rename this one.
                ensure!(said.contains(" 13") || said.contains("all facilities"), "{words:?}: {said}");
                Ok(Verdict::Accepted)
            }
            Some(2) => Ok(Verdict::Refused(error)),
            code => anyhow::bail!("{words:?}: {code:?}: {error}"),
        }
    }

    pub(super) async fn on_the_page(&self, statement: &Statement, fields: &Fields) -> Result<Verdict> {
        let facility = if statement.about == Subject::Registered { "" } else { "/facilities/1319999015" };
        self.on_the_page_of(facility, statement, fields).await
    }

    /// Sends the form at the path of a facility; the page that follows must exist.
    pub(super) async fn on_the_page_of(
        &self,
        facility: &str,
        statement: &Statement,
        fields: &Fields,
    ) -> Result<Verdict> {
        let url = format!("{}{facility}/record/{}?lang=en", self.server.web, statement.key);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = self.browser.post(url).header("origin", &self.server.web).body(body);
        let answer = form.header("content-type", "application/x-www-form-urlencoded").send().await?;
        match answer.status().as_u16() {
            303 => {
                let next = answer.headers()[reqwest::header::LOCATION].to_str()?;
                let next = reqwest::get(format!("{}{next}", self.server.web)).await?;
                next.error_for_status().with_context(|| format!("{}: {fields:?}", statement.key))?;
                Ok(Verdict::Accepted)
            }
            422 => Ok(Verdict::Refused(answer.text().await?.replace("&quot;", "\"").replace("&amp;", "&"))),
            status => anyhow::bail!("{}: {fields:?}: {status}: {}", statement.key, answer.text().await?),
        }
    }

    /// Both entry points give the same result for the input.
    pub(super) async fn both(&self, statement: &Statement, fields: &Fields) -> Result<bool> {
        let page = self.on_the_page(statement, fields).await?;
        let typed =
            Fields::from_iter(fields.iter().map(|(name, text)| (*name, text.replace("via page", "via command"))));
        let command = self.on_the_command_line(statement, &typed).await?;
        match (&page, &command) {
            (Verdict::Accepted, Verdict::Accepted) => Ok(true),
            (Verdict::Accepted, Verdict::Refused(said)) if ONCE.contains(&statement.key) => {
                ensure!(said.contains("already"), "{}: {said}", statement.key);
                Ok(true)
            }
            (Verdict::Refused(page), Verdict::Refused(said)) => {
                for line in said.lines() {
                    let (_, sentence) = line.split_once(" / ").with_context(|| line.to_owned())?;
                    let sentence = sentence.trim_end_matches(" (if you are certain, add --sure)");
                    ensure!(page.contains(sentence), "{}: {fields:?}: the page lacks: {sentence}", statement.key);
                }
                Ok(false)
            }
            _ => anyhow::bail!("{}: {fields:?}: {page:?} on the page, {command:?} on the command line", statement.key),
        }
    }
}

/// Valid values for every field.
pub(super) fn right(statement: &Statement) -> Fields {
    let tomorrow = (clock::now() + Duration::days(1)).format("%Y-%m-%dT10:30").to_string();
    let mut fields = Fields::from([("by", "鈴木".to_owned()), ("why", format!("{} via page", statement.key))]);
    if statement.telephones {
        fields.insert("sure", "yes".to_owned());
    }
    for field in statement.fields {
        let text = match (&field.input, field.name) {
            (_, "terminal") => TERMINAL.to_owned(),
            (_, "entry") => format!("{LIFE}/2"),
            (_, "new") => "1339999011".to_owned(),
            (_, "old" | "moved_at") => continue,
            (_, "prefecture") => "13".to_owned(),
            (Input::Codes, _) => "1339999029".to_owned(),
            (Input::Required(_), _) => "あたらしい医院".to_owned(),
            (Input::Minute(Moment::Past | Moment::OptionalPast), _) => "2026-04-01T10:30".to_owned(),
            (Input::Minute(Moment::Ahead), _) => tomorrow.clone(),
            (Input::Minute(Moment::Any), "to") => "2026-05-07".to_owned(),
            (Input::Minute(Moment::Any | Moment::Optional), _) => "2026-05-02T10:00+09:00".to_owned(),
            (Input::Line(_), _) => "A-1".to_owned(),
            (Input::Radio(choices), _) => choices[0].0.to_owned(),
            (Input::Select(choices), _) => choices()[0].0.to_owned(),
            (Input::Tick, _) => "yes".to_owned(),
            (Input::Given(example, _), _) => (*example).to_owned(),
        };
        fields.insert(field.name, text);
    }
    fields
}
