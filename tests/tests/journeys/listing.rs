//! The import of the ministry's list by an operator: two snapshots change the listing of a facility; a doubtful
//! snapshot waits for a person; a decision is refused alike by page and command; an interrupted import continues.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yomitori_proto::id::FacilityId;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const FACILITIES: &str = "code,name,prefecture,address
1319999015 1339999011,よみとり病院,東京都,東京都港区芝1-2-3
1319999023,医療法人社団よみ会 二番医院,東京都,東京都北区王子1-1
2619999010,京都医院,京都府,
";

struct Desk {
    world: World,
    server: Server,
}

impl Desk {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(FACILITIES).await?;
        Ok(Self { world, server })
    }

    /// The output of `list import` for a file with `rows` after thirty others, so that one row is less than a tenth.
    async fn import(&self, as_of: &str, rows: &str) -> Result<String> {
        let others: String = (1..=30).map(|n| format!("47199{n:05},よその医院{n}\n")).collect();
        self.import_as(as_of, "full", &format!("code,name\n{others}{rows}")).await
    }

    async fn import_as(&self, as_of: &str, coverage: &str, text: &str) -> Result<String> {
        let file = self.world.folder().join(format!("list-{as_of}.csv"));
        std::fs::write(&file, text)?;
        let file = file.to_string_lossy().into_owned();
        let import = ["listing", "import", &file, "--source", "mhlw", "--as-of", as_of, "--coverage", coverage];
        self.server.run(&import).await
    }

    /// The listing axis of a facility, once it is `expected`.
    async fn listing(&self, code: &str, expected: &str) -> Result<Value> {
        wait::until(&format!("{code} {expected}"), PATIENCE, async || {
            let status = self.server.run(&["status", "--facility", code, "--format", "json"]).await?;
            let status: Value = serde_json::from_str(&status)?;
            let listing = status.get("listing").context("a listing axis")?;
            ensure!(listing["key"] == expected, "{listing}");
            Ok(listing.clone())
        })
        .await
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let printed = self.server.run(&[arguments, &["--format", "json"]].concat()).await?;
        Ok(serde_json::from_str(&printed)?)
    }

    /// The answer to the form of a decision: its status and its page.
    async fn on_the_page(&self, snapshot: &str, what: &str, fields: &[(&str, &str)]) -> Result<(u16, String)> {
        let url = format!("{}/listing/{snapshot}/decide/{what}?lang=en", self.server.web);
        let fields = fields.iter().chain(&[("by", "Suzuki"), ("why", "compared")]);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let form = client.post(url).header("origin", &self.server.web).body(body);
        let answer = form.header("content-type", "application/x-www-form-urlencoded").send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Waits until the page of the lists links the withdrawal of a decision, or doesn't.
    async fn links_the_withdrawal(&self, statement: &str, expected: bool) -> Result<()> {
        wait::until(&format!("the link to be there: {expected}"), PATIENCE, async || {
            let page = reqwest::get(format!("{}/listing", self.server.web)).await?.text().await?;
            ensure!(page.contains(&format!("/record/withdraw?statement={statement}")) == expected, "{page}");
            Ok(())
        })
        .await
    }

    async fn observed(&self) -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE kind = 'listing_observed'";
        Ok(self.world.store().await?.query_one(query, &[]).await?.get(0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_snapshots_change_the_listing_of_a_facility() -> Result<()> {
    let desk = Desk::open("listing").await?;
    desk.listing("1319999015", "unknown").await?;
    let first = "1339999011,よみとり病院 歯科\n1319999998,二番医院\n";
    desk.import("2026-04-01", first).await?;
    desk.listing("1319999015", "listed").await?;
    // An equal name is no match; it is suggested to a person.
    desk.listing("1319999023", "not_listed").await?;
    desk.listing("2619999010", "not_listed").await?;
    let unmatched = desk.json(&["listing", "unmatched"]).await?;
    let row = &unmatched[0]["rows"][0];
    ensure!(row["code"] == "1319999998" && row["suggestions"][0]["code"] == "1319999023", "{unmatched}");
    ensure!(row["suggestions"][0]["reasons"][0] == "same_name", "{unmatched}");

    let again = desk.import("2026-04-01", first).await?;
    ensure!(again.contains("the same file was imported"), "{again}");
    ensure!(desk.observed().await? == 3, "each was updated once");

    desk.import("2026-05-01", "1319999023,二番医院\n1319999998,二番医院\n").await?;
    let gone = desk.listing("1319999015", "delisted").await?;
    ensure!(gone["at"] == "2026-04-30T15:00:00Z", "{gone}");
    desk.listing("1319999023", "listed").await?;

    let snapshots = desk.json(&["listing", "snapshots"]).await?;
    let id = |place: usize| snapshots[place]["snapshot"].as_str().context("an identifier").map(str::to_owned);
    let (newest, oldest) = (id(0)?, id(1)?);
    let diff = desk.json(&["listing", "diff", &oldest, &newest, "--ours"]).await?;
    ensure!(diff["removed"][0]["code"] == "1339999011" && diff["added"][0]["code"] == "1319999023", "{diff}");
    let cadence = desk.json(&["listing", "cadence"]).await?;
    ensure!(cadence["kinds"][0]["interval"]["median"] == 30.0, "{cadence}");

    // A person decides the owner of the row: its code becomes one of the facility's.
    let decided = ["listing", "match", &newest, "1319999998", "--facility", "2619999010", "--by", "Suzuki"];
    ensure!(!desk.server.try_run(&decided).await?.status.success(), "without a why");
    let said = desk.server.run(&[&decided[..], &["--why", "moved"]].concat()).await?;
    ensure!(said.contains("京都医院 2619999010") && said.contains("statement withdraw --statement"), "{said}");
    desk.listing("1319999998", "listed").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_dated_ahead_is_refused() -> Result<()> {
    let desk = Desk::open("listing-ahead").await?;
    let file = desk.world.folder().join("ahead.csv");
    std::fs::write(&file, "code,name\n1319999015,よみとり病院\n")?;
    let file = file.to_string_lossy().into_owned();
    let import = ["listing", "import", &file, "--source", "mhlw", "--as-of", "2199-04-01", "--coverage", "full"];
    let refused = desk.server.try_run(&import).await?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(2), "{}: {said}", refused.status);
    ensure!(said.contains("未来") && said.contains("2199-04-01") && said.contains("give the date"), "{said}");
    ensure!(desk.json(&["listing", "snapshots"]).await?.as_array().is_some_and(Vec::is_empty), "nothing is kept of it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_snapshot_waits_until_a_person_releases_it() -> Result<()> {
    let desk = Desk::open("listing-shrunken").await?;
    desk.import("2026-04-01", "1319999015,よみとり病院\n").await?;
    desk.listing("1319999015", "listed").await?;
    // Under another name of the source it would say the same about everybody.
    let file = desk.world.folder().join("other-source.csv");
    std::fs::write(&file, "code,name\n2619999010,京都医院\n")?;
    let file = file.to_string_lossy().into_owned();
    let other = ["listing", "import", &file, "--source", "mlhw", "--as-of", "2026-04-20", "--coverage", "full"];
    let printed = desk.server.run(&other).await?;
    ensure!(printed.contains("quarantined"), "{printed}");
    let printed = desk.import_as("2026-05-01", "full", "code,name\n2619999010,京都医院\n").await?;
    ensure!(printed.contains("quarantined"), "{printed}");
    desk.listing("1319999015", "listed").await?;
    let snapshots = desk.json(&["listing", "snapshots"]).await?;
    ensure!(snapshots[0]["state"] == "quarantined" && snapshots[0]["rows_before"] == 31, "{snapshots}");
    let id = snapshots[0]["snapshot"].as_str().context("an identifier")?;
    ensure!(
        !desk.server.try_run(&["listing", "release", id, "--by", "Suzuki"]).await?.status.success(),
        "without a why"
    );
    desk.server.run(&["listing", "release", id, "--by", "Suzuki", "--why", "the ministry cleaned up"]).await?;
    desk.listing("1319999015", "delisted").await?;
    desk.listing("2619999010", "listed").await?;
    let decisions = desk.json(&["listing", "decisions"]).await?;
    ensure!(
        decisions[0]["kind"] == "snapshot_released" && decisions[0]["why"] == "the ministry cleaned up",
        "{decisions}"
    );
    ensure!(decisions[1]["kind"] == "snapshot_imported" && decisions[1]["snapshot"] == id, "{decisions}");
    let shown = desk.json(&["listing", "show", id]).await?;
    ensure!(shown["released"]["by"] == "Suzuki" && shown["ours"][0]["code"] == "2619999010", "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_dismissed_is_not_suggested_again() -> Result<()> {
    let desk = Desk::open("listing-dismissed").await?;
    let stranger = "1319999998,二番医院\n";
    desk.import("2026-04-01", stranger).await?;
    let queue = desk.json(&["listing", "unmatched"]).await?;
    let id = queue[0]["snapshot"].as_str().context("an identifier")?;
    ensure!(queue[0]["rows"][0]["suggestions"][0]["code"] == "1319999023", "{queue}");
    let dismiss = ["listing", "dismiss", id, "1319999998", "--by", "Suzuki", "--why", "another clinic of that name"];
    ensure!(!desk.server.try_run(&dismiss[..6]).await?.status.success(), "without a why");
    let said = desk.server.run(&dismiss).await?;
    ensure!(desk.json(&["listing", "unmatched"]).await?[0]["rows"] == Value::Array(Vec::new()));
    // A dismissal by mistake is withdrawn, and the row is suggested again.
    let statement =
        said.split("--statement ").nth(1).and_then(|rest| rest.split(' ').next()).context("an identifier")?;
    desk.links_the_withdrawal(statement, true).await?;
    desk.server.run(&["statement", "withdraw", "--statement", statement, "--by", "Suzuki", "--why", "mistake"]).await?;
    desk.links_the_withdrawal(statement, false).await?;
    desk.server.run(&["listing", "reconcile"]).await?;
    let queue = desk.json(&["listing", "unmatched"]).await?;
    ensure!(queue[0]["rows"][0]["suggestions"][0]["code"] == "1319999023", "{queue}");
    // The form of a decision that was withdrawn since records nothing when it is sent again.
    let form = [("code", "1319999998"), ("id", "018f0000-0000-4000-8000-00000000ad07")];
    ensure!(desk.on_the_page(id, "dismiss", &form).await?.0 == 303);
    desk.links_the_withdrawal(form[1].1, true).await?;
    desk.server.run(&["statement", "withdraw", "--statement", form[1].1, "--by", "Suzuki", "--why", "mistake"]).await?;
    desk.links_the_withdrawal(form[1].1, false).await?;
    let (status, page) = desk.on_the_page(id, "dismiss", &form).await?;
    ensure!(status == 422 && page.contains("withdrawn since"), "{status}: {page}");
    desk.server.run(&dismiss).await?;
    // Nor in a later snapshot.
    desk.import("2026-05-01", stranger).await?;
    let queue = desk.json(&["listing", "unmatched"]).await?;
    ensure!(queue[0]["snapshot"] != id && queue[0]["rows"] == Value::Array(Vec::new()), "{queue}");
    let decisions = desk.json(&["listing", "decisions"]).await?;
    // The newest first: the later list, and the second dismissal.
    let dismissed = &decisions[1];
    ensure!(dismissed["code"] == "1319999998" && dismissed["by"] == "Suzuki", "{decisions}");
    ensure!(dismissed["why"] == "another clinic of that name", "{decisions}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_does_not_apply_is_refused_alike_by_page_and_command() -> Result<()> {
    let desk = Desk::open("listing-decisions").await?;
    desk.import("2026-04-01", "1319999015,よみとり病院\n1319999998,二番医院\n").await?;
    desk.listing("1319999015", "listed").await?;
    let snapshots = desk.json(&["listing", "snapshots"]).await?;
    let id = snapshots[0]["snapshot"].as_str().context("an identifier")?;
    let facility = FacilityId::of_code("1319999023").to_string();
    let dismissed = [("code", "1319999998")];
    ensure!(desk.on_the_page(id, "dismiss", &dismissed).await?.0 == 303);
    let unmatched = "4719900001";
    for (what, fields, sentence) in [
        ("release", &[][..], "This list is not in quarantine."),
        ("dismiss", &dismissed, "Rows with this code are dismissed already."),
        ("dismiss", &[("code", "1319999023")], "No row of this list has the code 1319999023."),
        ("dismiss", &[("code", "12")], "Invalid institution code"),
        ("dismiss", &[("code", "1319999015")], "The row matches a facility of ours already."),
        ("match", &[("code", "1319999023"), ("facility", &facility)], "No row of this list has the code 1319999023."),
        ("match", &[("code", "1319999015"), ("facility", "1319999023")], "the code of another facility, よみとり病院"),
        ("match", &[("code", unmatched), ("facility", "0199999995")], "No facility has the code 0199999995"),
        ("match", &[("code", unmatched), ("facility", "twelve")], "Invalid institution code"),
        (
            "match",
            &[("code", unmatched), ("facility", "018f0000-0000-7000-8000-00000000f001")],
            "No facility has the identifier 018f0000-0000-7000-8000-00000000f001",
        ),
    ] {
        let (status, page) = desk.on_the_page(id, what, fields).await?;
        ensure!(status == 422 && page.contains(sentence), "{what} {fields:?}: {status}: {page}");
        let mut command = vec!["listing", what, id];
        for (name, value) in fields {
            command.extend(if *name == "facility" { vec!["--facility", value] } else { vec![*value] });
        }
        let output = desk.server.try_run(&[&command[..], &["--by", "Suzuki", "--why", "compared"]].concat()).await?;
        let printed = String::from_utf8(output.stderr)?;
        ensure!(output.status.code() == Some(2) && printed.contains(sentence), "{command:?}: {printed}");
    }
    // The page takes a code for the facility, and the change of mind about a dismissed row.
    let matched = [("code", "1319999998"), ("facility", "1319999023")];
    ensure!(desk.on_the_page(id, "match", &matched).await?.0 == 303);
    desk.listing("1319999998", "listed").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_one_prefecture_does_not_concern_another() -> Result<()> {
    let desk = Desk::open("listing-prefecture").await?;
    let kyoto = "code,name,category\n9999010,京都医院,医科（診療所）\n";
    desk.import_as("2026-04-01", "prefecture:26", kyoto).await?;
    desk.listing("2619999010", "listed").await?;
    desk.listing("1319999015", "unknown").await?;
    let wrong = desk.import_as("2026-04-02", "prefecture:13", "code,name\n2619999010,京都医院\n").await;
    let said = format!("{:#}", wrong.err().context("rows of another prefecture are refused")?);
    ensure!(said.contains("row 2") && said.contains("nothing was imported"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_import_continues_and_later_facilities_catch_up() -> Result<()> {
    let desk = Desk::open("listing-interrupted").await?;
    desk.import("2026-04-01", "1319999015,よみとり病院\n0119999019,北の医院\n").await?;
    desk.listing("2619999010", "not_listed").await?;
    // The state after a power cut: one facility is updated, and the import is not marked as complete.
    let store = desk.world.store().await?;
    store.execute("UPDATE registry.snapshot SET applied_at = NULL", &[]).await?;
    let first = "UPDATE registry.snapshot_recorded SET facilities = facilities[1:1], codes = codes[1:1]";
    store.execute(first, &[]).await?;
    let before = desk.observed().await?;
    let printed = desk.import("2026-04-01", "1319999015,よみとり病院\n0119999019,北の医院\n").await?;
    ensure!(printed.contains("1 already recorded"), "{printed}");
    wait::until("the rest is updated", PATIENCE, async || {
        let now = desk.observed().await?;
        ensure!(now == before + 2, "{now} after {before}");
        Ok(())
    })
    .await?;
    desk.listing("1319999015", "listed").await?;

    desk.server.import("code,name\n0119999019,北の医院\n").await?;
    desk.listing("0119999019", "unknown").await?;
    desk.server.run(&["listing", "reconcile"]).await?;
    desk.listing("0119999019", "listed").await?;
    ensure!(desk.observed().await? == before + 3, "no other facility was updated again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_is_previewed_and_the_bureaus_master_fills_registered_facilities() -> Result<()> {
    let desk = Desk::open("listing-master").await?;
    let file = desk.world.folder().join("bureau.csv");
    let text = "コード内容別医療機関一覧表\n項番,医療機関番号,医療機関名称,医療機関所在地\n\
                1,\"99,99023\",医療法人社団よみ会 二番クリニック,〒114-0002 東京都北区王子2-2\n,,,\n\
                2,99-99999,知らない医院,東京都北区王子3-3\n";
    std::fs::write(&file, text).context("write the table")?;
    let file = file.to_string_lossy().into_owned();
    let import = ["facility", "import", &file, "--prefecture", "13", "--kind", "medical"];
    let name = async || -> Result<Value> {
        let status = desk.server.run(&["status", "--facility", "1319999023", "--format", "json"]).await?;
        Ok(serde_json::from_str::<Value>(&status)?["name"].clone())
    };
    let preview = desk.server.run(&[&import[..], &["--preview"]].concat()).await?;
    ensure!(preview.contains("0 new, 1 changed") && preview.contains("1 not registered"), "{preview}");
    ensure!(name().await? == "医療法人社団よみ会 二番医院");
    desk.server.run(&import).await?;
    wait::until("the new name", PATIENCE, async || {
        ensure!(name().await? == "医療法人社団よみ会 二番クリニック");
        Ok(())
    })
    .await?;
    let again = desk.server.run(&import).await?;
    ensure!(again.contains("0 registered or changed, 1 unchanged"), "{again}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_counts_in_every_list_that_has_the_code() -> Result<()> {
    let desk = Desk::open("listing-matched-twice").await?;
    let row = "1319999998,二番医院\n";
    desk.import("2026-04-01", row).await?;
    desk.import_as("2026-05-01", "prefecture:13", &format!("code,name\n{row}")).await?;
    desk.listing("1319999023", "not_listed").await?;
    let snapshots = desk.json(&["listing", "snapshots"]).await?;
    // The newest first.
    let older = snapshots[1]["snapshot"].as_str().context("an identifier")?;
    let matched = ["listing", "match", older, "1319999998", "--facility", "1319999023", "--by", "Suzuki", "--why", "x"];
    let said = desk.server.run(&matched).await?;
    // What now holds is said after both lists were applied.
    ensure!(said.matches("applied").count() == 2 && !said.contains("delisted"), "{said}");
    desk.listing("1319999023", "listed").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_number_of_a_prefecture_is_suggested_and_never_assumed() -> Result<()> {
    let desk = Desk::open("listing-twin").await?;
    let register =
        ["facility", "register", "--code", "6319999015", "--name", "別の医院", "--by", "Suzuki", "--why", "x"];
    let refused = desk.server.try_run(&register).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("よみとり病院") && said.contains("check digit"), "{said}");
    // A facility that has the code already is asked nothing about it.
    let rename = ["facility", "register", "--code", "1319999015", "--name", "新病院", "--by", "Suzuki", "--why", "x"];
    desk.server.run(&[&register[..], &["--sure"]].concat()).await?;
    desk.server.run(&rename).await?;

    let file = desk.world.folder().join("twins.csv");
    std::fs::write(&file, "code,name\n6319999023,\u{202e}二番医院\n")?;
    let file = file.to_string_lossy().into_owned();
    let imported = desk.server.try_run(&["facility", "import", &file, "--by", "Suzuki", "--why", "x"]).await?;
    let said = String::from_utf8_lossy(&imported.stderr).into_owned();
    ensure!(imported.status.success() && said.contains("医療法人社団よみ会 二番医院"), "{said}");
    let status = desk.server.run(&["status", "--facility", "6319999023", "--format", "json"]).await?;
    let status: Value = serde_json::from_str(&status)?;
    ensure!(status["name"] == "二番医院" || status[0]["name"] == "二番医院", "{status}");
    Ok(())
}
