//! A terminal's knowledge of patients and people's data about themselves stay in their proper places.
//!
//! Hostile data are put through every source of the real agent, and an eavesdropper between agent and server records
//! each byte. Then every place is searched for the data in every encoding. The test also shows that the search works:
//! on the input, on planted data, and by harmless data that must be in each place.

mod contract;
mod listener;
mod patient;
mod place;
mod secret;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng, RngCore};
use yomitori_proto::id::FacilityId;
use yomitori_tests::hostile::chance::{chance, print_line};
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{self, Agent};
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::server::{self, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

use listener::Listener;
use patient::Patient;
use place::{PageEvents, Place};
use secret::{Search, Secret};

const CODE: &str = "1319999015";
const NAME: &str = "読取クリニック";
/// The most verbose setting.
const TRACE: (&str, &str) = ("YOMITORI_LOG", "trace");

/// An ATR of a phone or a card of type B, with application data and its own protocol bytes.
fn atr(chance: &mut StdRng) -> Vec<u8> {
    let mut atr = vec![0x3B, 0x88, 0x80, 0x01];
    atr.extend((0..8).map(|_| chance.random_range(1..=255_u8)));
    atr.push(atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte));
    atr
}

async fn count(world: &World, kind: &str) -> Result<usize> {
    let query = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = $2";
    let row = world.store().await?.query_one(query, &[&FacilityId::of_code(CODE).0, &kind]).await?;
    Ok(usize::try_from(row.get::<_, i64>(0))?)
}

async fn until(world: &World, kind: &str, expected: usize) -> Result<()> {
    wait::until(kind, PATIENCE * 2, async || {
        let there = count(world, kind).await?;
        ensure!(there >= expected, "{there} of {expected} are in the database");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_patient_data_leave_a_terminal() -> Result<()> {
    let sent = nothing_gets_out("privacy", "names").await?;
    // A user without opt-in can see that no file was read.
    ensure!(sent.contains("\"outcome\":\"not_read\""), "`sent` says nothing of it");
    let looked = ["ok", "error", "in_progress", "unreadable"].map(|word| format!("\"outcome\":\"{word}\""));
    ensure!(!looked.iter().any(|word| sent.contains(word)), "files were looked into");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_even_if_headers_are_read() -> Result<()> {
    let sent = nothing_gets_out("privacy-headers", "headers").await?;
    for word in ["ok", "error", "unreadable", "not_read"] {
        ensure!(sent.contains(&format!("\"outcome\":\"{word}\"")), "no file was {word}");
    }
    Ok(())
}

/// Puts the data through a terminal with collection level `level`; returns the output of `sent`.
async fn nothing_gets_out(test: &str, level: &str) -> Result<String> {
    let mut chance = chance("privacy")?;
    let serial = format!("{:012X}", chance.random::<u64>() >> 16);
    let (patient, cards) = (Patient::new(&mut chance), [atr(&mut chance), atr(&mut chance)]);
    let mut odd = vec![0; 24];
    chance.fill_bytes(&mut odd);
    let mut secrets = patient.secrets();
    secrets.push(Secret::text("the reader's serial number", &serial));
    secrets.push(Secret::bytes("the first card's ATR", &cards[0]));
    secrets.push(Secret::bytes("the first card's own bytes", &cards[0][4..12]));
    secrets.push(Secret::bytes("the second card's own bytes", &cards[1][4..12]));
    secrets.push(Secret::bytes("an odd card's ATR", &odd));
    let search = Search::new(&secrets);

    let world = World::new(test).await?;
    let talkative = vec![(TRACE.0.to_owned(), TRACE.1.to_owned())];
    let plan = server::Plan { env: talkative.clone(), ..server::Plan::default() };
    let mut server = Server::start(&world, plan).await?;
    server.import(&format!("code,name\n{CODE},{NAME}\n")).await?;
    wait::until("the facility", PATIENCE * 2, async || server.facility(CODE).await).await?;
    let events = PageEvents::by(&server).await?;
    let listener = Listener::before(&world, &server.uplink).await?;
    let pcscd = Pcscd::with_reader(&format!("SONY FeliCa RC-S300/P ({serial})")).await?;
    let plan = agent::Plan {
        readers: vec![("SONY FeliCa RC-S300/P*", "phone")],
        pcscd: Some(pcscd.socket()),
        env: talkative,
        more: format!("[collection]\nlevel = {level:?}\n"),
        ..agent::Plan::default()
    };
    let mut agent = Agent::prepare(&world, &listener.uplink, plan)?;
    agent.enrol(&server, CODE).await?;

    // Some files exist already, and some appear while the agent watches.
    let mut files = patient.leave(&agent.face)?;
    agent.launch()?;
    until(&world, "linkage_result_observed", files).await?;
    until(&world, "reader_attached", 2).await?;
    files += patient.leave(&agent.res)?;
    patient.tidy(&agent.face)?;
    for (number, atr) in [&cards[0], &cards[1], &odd].into_iter().enumerate() {
        let card = pcscd.insert(u16::try_from(number % 2)?, atr)?;
        card.noticed().await?;
        card.remove();
        until(&world, "tap_observed", number + 1).await?;
    }
    until(&world, "linkage_result_observed", files).await?;

    // Observations that are kept while the server is down are in the spool.
    server.kill()?;
    patient.tidy(&agent.res)?;
    let kept = || agent.log().matches("An observation was stored").count();
    let before = kept();
    std::fs::write(agent.face.join(format!("{}-{}.xml", patient.number, serial)), &serial).context("write a file")?;
    wait::until("an observation to be kept", PATIENCE, async || {
        ensure!(kept() > before, "{} were kept", kept());
        Ok(())
    })
    .await?;
    let spool = Place::folder("the agent's folder while the server is away", &agent.state)?;
    server.serve().await?;
    wait::until("all that was kept in the database", PATIENCE * 2, async || {
        let query = "SELECT count(*) FROM projection.fact WHERE terminal_id IS NOT NULL";
        let there: i64 = world.store().await?.query_one(query, &[]).await?.get(0);
        ensure!(usize::try_from(there)? == kept(), "{there} of {}", kept());
        Ok(())
    })
    .await?;

    let printed = agent.run(&["sent", "--last", "10000"]).await?;
    let terminal = world.store().await?.query_one("SELECT terminal_id::text FROM projection.connection", &[]).await?;
    let terminal: String = terminal.get(0);
    let mut places = place::of_server(&world, &server, CODE).await?;
    places.push(events.place());
    places.push(Place::new("the wire", listener.heard()));
    places.push(Place::new("the agent's log", agent.log().into_bytes()));
    places.push(Place::new("what `sent` shows", printed.clone().into_bytes()));
    places.push(spool);
    places.push(Place::folder("the agent's folder", &agent.state)?);

    // Each place was written to and searched: it contains its regular data.
    let belongs = Secret::text("what belongs there", &terminal);
    let facility = Secret::text("what belongs there", NAME);
    let id = uuid::Uuid::parse_str(&terminal)?;
    let watched = Secret::text("what belongs there", &FacilityId::of_code(CODE).to_string());
    let harmless = [belongs, facility, watched, Secret::bytes("what belongs there", id.as_bytes()), canary()];
    let harmless = Search::new(&harmless);
    for place in &places {
        ensure!(!harmless.found(&place.hay).is_empty(), "{} holds nothing that belongs there", place.what);
        print_line(&format!("{}: {} bytes", place.what, place.hay.len()));
    }
    let out: Vec<String> = places.iter().filter_map(|place| place.leaks(&search)).collect();
    ensure!(out.is_empty(), "secrets got out:\n{}", out.join("\n"));

    // A date of birth has not been parsed as a time of one of these days.
    let query = "SELECT count(*) FROM analytics.fact WHERE (event ->> 'file_at') < '2000'";
    let births: i64 = world.store().await?.query_one(query, &[]).await?.get(0);
    ensure!(births == 0, "{births} dates of birth are in the database");
    // All of the data were there to leak.
    let put_in = [patient.all(), serial.clone().into_bytes(), cards.concat(), odd].concat();
    let found = search.found(&put_in);
    ensure!(found.len() == secrets.len(), "of {} secrets only {found:?} were put in", secrets.len());
    Ok(printed)
}

/// The name of a metric, which no other program would write.
fn canary() -> Secret {
    Secret::text("what belongs there", "fleet_server_observations_total")
}

#[test]
fn the_search_finds_every_encoding_in_every_place() -> Result<()> {
    let mut chance = chance("search")?;
    let patient = Patient::new(&mut chance);
    let mut secrets = patient.secrets();
    secrets.push(Secret::bytes("an ATR", &atr(&mut chance)));
    let search = Search::new(&secrets);
    let mut planted = 0;
    for secret in &secrets {
        for (guise, bytes) in secret.guises() {
            let mut hay = vec![0; 3_000];
            chance.fill_bytes(&mut hay);
            ensure!(search.found(&hay).is_empty(), "found by chance: {:?}", search.found(&hay));
            let at = chance.random_range(0..=hay.len());
            hay.splice(at..at, bytes.iter().copied());
            let found = search.found(&hay);
            ensure!(found.get(secret.what).is_some_and(|guises| guises.contains(guise)), "{guise} of {}", secret.what);
            planted += 1;
        }
    }
    ensure!(planted > 300, "{planted} guises");
    // In other common notations.
    let number = patient.number.as_str();
    let json = serde_json::to_string(&serde_json::json!({ "file": format!("a {number} b") }))?;
    let base64 = |before: &str| data_encoding::BASE64.encode(format!("{before}{number}-x").as_bytes());
    let debug = format!("{:?}", number.as_bytes());
    let hex = format!("{:02x?}", number.as_bytes());
    for text in [json, base64(""), base64("y"), base64("yy"), base64("yyy"), debug, hex] {
        ensure!(search.found(text.as_bytes()).contains_key("the patient's number"), "{text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_reasons_of_people_are_shown_and_never_logged_or_counted() -> Result<()> {
    let mut chance = chance("people")?;
    let mark: u64 = chance.random_range(10_000_000_000..99_999_999_999);
    let (by, why) = (format!("鈴木花子{mark}"), format!("院長の判断 {mark}"));
    let reference = format!("受付{mark}");
    let secrets = [
        Secret::text("who said it", &by),
        Secret::text("why", &why),
        Secret::text("the call centre's reference", &reference),
        Secret::text("a part of all three", &mark.to_string()),
    ];
    let search = Search::new(&secrets);
    let world = World::new("privacy-people").await?;
    let plan = server::Plan { env: vec![(TRACE.0.to_owned(), TRACE.1.to_owned())], ..server::Plan::default() };
    let server = Server::start(&world, plan).await?;
    server.import(&format!("code,name\n{CODE},{NAME}\n")).await?;
    wait::until("the facility", PATIENCE * 2, async || server.facility(CODE).await).await?;
    let state = async |what: &[&str]| {
        let common = ["--facility", CODE, "--by", &by, "--why", &why];
        server.run(&[what, &common].concat()).await
    };
    let mut said = state(&["intent", "set", "--intent", "do_not_want"]).await?;
    said += &state(&["call", "record", "--sure", "--reference", &reference]).await?;
    said += &state(&["read", "record", "--os", "ios"]).await?;
    // A rejected reference is reported, but not repeated.
    let refused = ["--facility", CODE, "--by", &by, "--reference", "1\n2", "--why", &why];
    let refused = server.try_run(&[&["call", "record", "--sure"][..], &refused].concat()).await?;
    ensure!(refused.status.code() == Some(2), "{refused:?}");
    until(&world, "opt_out_call_made", 1).await?;
    until(&world, "smartphone_read_attested", 1).await?;

    let places = place::of_server(&world, &server, CODE).await?;
    let printed =
        Place::new("the output of the commands", [said.into_bytes(), refused.stdout, refused.stderr].concat());
    let quiet = |place: &&Place| place.what.ends_with("log") || place.what == "/metrics";
    let out: Vec<String> =
        places.iter().filter(quiet).chain([&printed]).filter_map(|place| place.leaks(&search)).collect();
    ensure!(out.is_empty(), "names or reasons got out:\n{}", out.join("\n"));
    ensure!(places.iter().filter(quiet).count() == 2);

    // The data are in their proper places: in the event log, in the database and on the facility's page.
    for what in ["Kafka", "PostgreSQL", &format!("/facilities/{CODE}")] {
        let place = places.iter().find(|place| place.what == what).with_context(|| what.to_owned())?;
        let found = search.found(&place.hay);
        ensure!(found.contains_key("who said it") && found.contains_key("why"), "{what}: {found:?}");
    }
    Ok(())
}
