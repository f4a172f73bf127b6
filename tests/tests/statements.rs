//! Everything that a person enters on the command line is in the log with who, when and why, and the timeline shows it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yomitori_proto::event::Event;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
const TERMINAL: &str = "018f0000-0000-7000-8000-00000000a001";
const LIFE: &str = "018f0000-0000-4000-8000-00000000b001";

/// What is typed, and the kind of fact that it becomes.
const TYPED: [(&str, &str); 25] = [
    ("facility code add 1339999011 --effective 2026-04-01", "facility_code_changed"),
    ("facility code replace 1339999011 1339999029 --effective 2026-04-02", "facility_code_changed"),
    ("facility code drop 1339999029", "facility_code_changed"),
    ("face-reader set --model canon-hi-cara", "face_reader_model_set"),
    ("face-reader restarted --at 2026-04-01T08:00", "face_reader_restarted"),
    ("reader purchased reader --route subsidised", "reader_purchased"),
    ("reader purchased extension-cable --route own", "reader_purchased"),
    (
        "reader role --terminal 018f0000-0000-7000-8000-00000000a001 --reader 00000000000000c1 --role phone",
        "reader_role_assigned",
    ),
    ("reception arranged", "reception_arranged"),
    ("notice hung poster", "notice_hung"),
    ("notice hung sticker --at 2026-04-01T09:00+09:00", "notice_hung"),
    ("attest --os ios --at 2026-04-01T10:00 --test", "smartphone_read_attested"),
    ("attest --failed PatientDevice.PinWrong --at 2026-04-01T10:05", "smartphone_read_failed"),
    ("fallback MynaPortalScreen --at 2026-04-01T10:06", "fallback_used"),
    ("entry withdraw 018f0000-0000-4000-8000-00000000b001/7", "entry_withdrawn"),
    ("opt-out record do-not-want", "listing_intent_set"),
    ("opt-out record call-planned --at 2026-04-01T11:00", "opt_out_call_planned"),
    ("opt-out record called --at 2026-04-01T11:00 --reference A-1", "opt_out_call_made"),
    ("opt-out record acknowledged --at 2026-04-01T12:00", "opt_out_acknowledged"),
    ("opt-out record withdrawn --at 2026-04-02T12:00", "opt_out_withdrawn"),
    ("flag acknowledge reader_missing", "alert_acknowledged"),
    ("flag snooze reader_missing --until 2099-01-01", "alert_snoozed"),
    ("maintenance set --from 2026-05-02T18:00 --to 2026-05-07T08:00", "maintenance_window_set"),
    ("collection limit readers", "collection_limited"),
    ("terminal retire 018f0000-0000-7000-8000-00000000a001", "terminal_retired"),
];

/// What is said of the fleet, or by the ways that other tests go.
const ELSEWHERE: [&str; 7] = [
    "terminal_enrolled",
    "rules_adopted",
    "closure_set",
    "snapshot_imported",
    "snapshot_released",
    "list_row_dismissed",
    "record_skipped",
];

struct Desk {
    world: World,
    server: Server,
}

impl Desk {
    /// A server with one facility, registered by hand.
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        let register = ["facility", "register", "--code", "13-1-99-9901-5", "--name", "ひとこと医院"];
        server.run(&[&register[..], &["--by", "鈴木", "--why", "開院"]].concat()).await?;
        Ok(Self { world, server })
    }

    /// Who stated a fact of `kind` for the reason `why`.
    async fn stated(&self, kind: &str, why: &str) -> Result<String> {
        let query = "SELECT said_by FROM analytics.fact WHERE kind = $1 AND said_why = $2";
        let store = self.world.store().await?;
        wait::until(&format!("{kind} because of {why}"), PATIENCE, async || {
            Ok(store.query_one(query, &[&kind, &why]).await?.get(0))
        })
        .await
    }

    async fn refused(&self, typed: &str) -> Result<String> {
        let typed: Vec<&str> = typed.split(' ').collect();
        let output = self.server.try_run(&typed).await?;
        ensure!(output.status.code() == Some(2), "{typed:?}: {output:?}");
        Ok(String::from_utf8(output.stderr)?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_typed_is_in_the_log_and_in_the_timeline_with_who_and_why() -> Result<()> {
    let desk = Desk::open("statements").await?;
    ensure!(desk.stated("facility_registered", "開院").await? == "鈴木");
    for (number, (typed, kind)) in TYPED.iter().enumerate() {
        let why = format!("理由{number}番");
        let typed: Vec<&str> = typed.split(' ').collect();
        let who = ["--facility", CODE, "--by", "鈴木", "--why", &why];
        desk.server.run(&[&typed[..], &who].concat()).await?;
        ensure!(desk.stated(kind, &why).await? == "鈴木", "{typed:?}");
    }
    // No kind that a person may state was forgotten.
    let kinds = TYPED.iter().map(|(_, kind)| *kind).chain(ELSEWHERE).chain(["facility_registered"]);
    let typed: Vec<&str> = kinds.collect();
    for line in yomitori_facility::EXAMPLE.lines() {
        let event: Event = serde_json::from_value(serde_json::from_str::<Value>(line)?["event"].take())?;
        let persons =
            matches!(event.speaker(), yomitori_proto::event::Speaker::Person | yomitori_proto::event::Speaker::Anyone);
        ensure!(!persons || typed.contains(&event.kind()), "no command states `{}`", event.kind());
    }
    let page = reqwest::get(format!("{}/facilities/{CODE}?lang=ja", desk.server.web)).await?.text().await?;
    for (number, (typed, _)) in TYPED.iter().enumerate() {
        ensure!(page.contains(&format!("理由{number}番")), "the timeline lacks `{typed}`");
    }
    let explained = desk.server.run(&["explain", CODE]).await?;
    ensure!(explained.contains("opt_out_call_made  鈴木（理由17番）"), "{explained}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tables_do_not_know_is_refused_with_what_they_know() -> Result<()> {
    let desk = Desk::open("statements-unknown").await?;
    desk.stated("facility_registered", "開院").await?;
    let table = [
        (format!("attest --failed PinWrong --facility {CODE}"), "PatientDevice.PinWrong"),
        (format!("fallback Card --facility {CODE}"), "PhysicalCard"),
        (format!("face-reader set --model canon --facility {CODE}"), "canon-hi-cara"),
        (format!("flag acknowledge reader --facility {CODE}"), "reader_missing"),
        (format!("flag snooze reader_missing --until 2020-01-01 --facility {CODE}"), "has passed"),
        (format!("terminal retire {TERMINAL} --facility {CODE}"), "no terminal of this facility"),
        (format!("entry withdraw {LIFE} --facility {CODE}"), "LIFE/NUMBER"),
        (format!("maintenance set --from 2026-05-02 --to 2026-05-01 --facility {CODE}"), "later than"),
        (format!("facility code drop 1319999023 --facility {CODE}"), "no valid code"),
        ("notice hung sticker --facility 1349999019".to_owned(), "no facility has the code"),
    ];
    for (typed, expected) in table {
        let told = desk.refused(&typed).await?;
        ensure!(told.contains(expected), "{typed}: {told}");
    }
    let called = ["opt-out", "record", "called", "--facility", CODE, "--at", "2026-09-22T10:00"];
    let warned = desk.server.try_run(&called).await?;
    let told = String::from_utf8(warned.stderr).context("what it said")?;
    ensure!(warned.status.success() && told.contains("it opens at 2026-09-24 08:00"), "{told}");
    Ok(())
}
