//! Rules are adopted through the log: from then on every facility is judged by them, including its past, and the
//! author, time and reason of the adoption stay visible.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yomitori_facility::Rules;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
const UNWANTED: [&str; 10] =
    ["intent", "set", "--intent", "do_not_want", "--facility", CODE, "--by", "Suzuki", "--why", "x"];

struct Desk {
    world: World,
    server: Server,
}

impl Desk {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        Ok(Self { world, server })
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.server.run(&[arguments, &["--format", "json"]].concat()).await?)?)
    }

    /// The status of the facility, once `axis` is `expected`.
    async fn becomes(&self, axis: &str, expected: &str) -> Result<Value> {
        wait::until(&format!("{axis} {expected}"), PATIENCE, async || {
            let status = self.json(&["status", "--facility", CODE]).await?;
            ensure!(status[axis]["key"] == expected, "{}", status[axis]);
            Ok(status)
        })
        .await
    }

    /// Waits until every facility is folded by `version`.
    async fn folded_by(&self, version: u32) -> Result<Value> {
        wait::until(&format!("rules {version}"), PATIENCE, async || {
            let shown = self.json(&["rules", "show"]).await?;
            ensure!(shown["version"] == version && shown["facilities_behind"] == 0, "{shown}");
            Ok(shown)
        })
        .await
    }

    fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.world.folder().join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Rules by which a read of 2025 doesn't count, and others from 2099 on.
    fn stricter(&self) -> Result<String> {
        let stricter = Rules::BUNDLED
            .replace("version = 1", "version = 2")
            .replace("counts_since = \"2025-09-19", "counts_since = \"2026-01-01");
        let (_, set) = stricter.split_once("[[set]]").context("a set")?;
        let later = set.replace("effective_at = \"2025-01-01", "effective_at = \"2099-01-01");
        self.file("stricter.toml", &format!("{stricter}\n[[set]]{later}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_changes_a_facility_and_shows_author_time_and_reason() -> Result<()> {
    let desk = Desk::open("rules").await?;
    desk.server.import(&format!("code,name,prefecture\n{CODE},きそく医院,東京都\n")).await?;
    let read = ["read", "record", "--os", "ios", "--facility", CODE, "--at", "2025-10-01T10:00", "--by", "Suzuki"];
    desk.server.run(&read).await?;
    desk.becomes("eligible", "eligible").await?;
    desk.server.run(&UNWANTED).await?;
    desk.becomes("opt_out", "needed").await?;
    let stricter = desk.stricter()?;

    // The effect on facilities can be queried before the adoption.
    let answer = desk.server.run(&["what-if", "--rules", &stricter, "--format", "json"]).await?;
    let answer: Value = serde_json::from_str(answer.trim())?;
    let change = &answer[0]["changes"][0];
    ensure!(answer[0]["code"] == CODE && change["axis"] == "evidence" && change["to"] == "never", "{answer}");
    let csv = desk.server.run(&["what-if", "--rules", &stricter, "--csv"]).await?;
    ensure!(csv.lines().any(|line| line.contains(",eligible,eligible,not_yet,")), "{csv}");
    ensure!(desk.json(&["rules", "show"]).await?["version"] == 1, "asking changes nothing");

    let adopt = ["rules", "adopt", &stricter, "--by", "情報システム課", "--why", "通知の改正"];
    ensure!(!desk.server.try_run(&adopt[..5]).await?.status.success(), "without a why");
    desk.server.run(&adopt).await?;
    desk.becomes("eligible", "not_yet").await?;
    desk.becomes("opt_out", "not_needed").await?;
    let shown = desk.folded_by(2).await?;
    ensure!(shown["adopted"][0]["by"] == "情報システム課" && shown["adopted"][0]["why"] == "通知の改正", "{shown}");

    // The row changes on its own when the later set takes effect.
    let due =
        "SELECT due_at = '2099-01-01T00:00:00+09:00' AND (status->>'rules_version')::int = 2 FROM projection.facility";
    ensure!(desk.world.store().await?.query_one(due, &[]).await?.get::<_, bool>(0), "due");

    // The page shows the author and the reason.
    let page = reqwest::get(format!("{}/rules?lang=en", desk.server.web)).await?.error_for_status()?.text().await?;
    for needle in ["Rules adopted", "version 2", "情報システム課", "通知の改正"] {
        ensure!(page.contains(needle), "`{needle}` is not on the page: {page}");
    }

    let explained = desk.json(&["explain", CODE]).await?;
    let steps = explained["facilities"][0]["steps"].as_array().context("steps")?;
    let adopted = steps.iter().find(|step| step["kind"] == "rules_adopted").context("the adoption is a step")?;
    ensure!(adopted["said_why"] == "通知の改正" && adopted["changes"][1]["to"] == "not_yet", "{adopted}");
    ensure!(explained["facilities"][0]["eligible"]["key"] == "not_yet", "{explained}");

    // An older version is rejected, and the rules in force can be exported.
    let older = desk.file("older.toml", Rules::BUNDLED)?;
    let refused = desk.server.try_run(&["rules", "adopt", &older, "--why", "back"]).await?;
    ensure!(refused.status.code() == Some(2), "{refused:?}");
    ensure!(desk.server.run(&["rules", "export"]).await?.trim() == std::fs::read_to_string(&stricter)?.trim());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_continues_to_fold_facilities_again() -> Result<()> {
    const FACILITIES: usize = 1600;
    let mut desk = Desk::open("rules-killed").await?;
    let rows: String = (0..FACILITIES).map(|n| format!("13199{n:05},第{n}医院,東京都\n")).collect();
    desk.server.import(&format!("code,name,prefecture\n{rows}")).await?;
    let folded = async |desk: &Desk, condition: &str| -> Result<usize> {
        let query = format!("SELECT count(*) FROM projection.facility WHERE {condition}");
        Ok(usize::try_from(desk.world.store().await?.query_one(&query, &[]).await?.get::<_, i64>(0))?)
    };
    wait::until("all facilities", PATIENCE, async || {
        ensure!(folded(&desk, "true").await? == FACILITIES);
        Ok(())
    })
    .await?;
    desk.server.kill()?;
    // No server folds, but the statement is in the log.
    desk.server.run(&["rules", "adopt", &desk.stricter()?, "--why", "a test"]).await?;
    desk.server.launch()?;
    let new = "(status->>'rules_version')::int = 2";
    wait::until("some facilities", PATIENCE, async || {
        ensure!(folded(&desk, new).await? > 0);
        Ok(())
    })
    .await?;
    desk.server.kill()?;
    desk.server.serve().await?;
    desk.folded_by(2).await?;
    ensure!(folded(&desk, new).await? == FACILITIES, "each of them once more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closure_flags_a_call_and_shows_its_author() -> Result<()> {
    let desk = Desk::open("rules-closure").await?;
    desk.server.import(&format!("code,name,prefecture\n{CODE},きそく医院,東京都\n")).await?;
    desk.server.run(&UNWANTED).await?;
    desk.server.run(&["call", "record", "--facility", CODE, "--at", "2025-12-25T10:00:00+09:00"]).await?;
    ensure!(desk.becomes("opt_out", "called").await?["call_warning"].is_null());
    let closure = ["--from", "2025-12-25", "--to", "2025-12-26", "--by", "Suzuki", "--why", "臨時休業"];
    desk.server.run(&[&["closure", "set", "--closes", "call_centre"][..], &closure].concat()).await?;
    wait::until("the warning", PATIENCE, async || {
        let status = desk.json(&["status", "--facility", CODE]).await?;
        ensure!(status["call_warning"]["en"].is_string(), "{status}");
        Ok(())
    })
    .await?;
    let closures = desk.json(&["closure", "list"]).await?;
    ensure!(closures[0]["by"] == "Suzuki" && closures[0]["from"] == "2025-12-24T15:00:00Z", "{closures}");

    // A facility's own one is listed with it alone, and one that was withdrawn no longer.
    let own = ["--closes", "clinics", "--from", "2025-12-27", "--to", "2025-12-28", "--by", "Sato", "--why", "改装"];
    let id = "018f0000-0000-4000-8000-00000000ac01";
    desk.server.run(&[&["closure", "set", "--facility", CODE, "--id", id][..], &own].concat()).await?;
    wait::until("the facility's closure", PATIENCE, async || {
        let closures = desk.json(&["closure", "list", "--facility", CODE]).await?;
        ensure!(closures[0]["by"] == "Sato" && closures[1].is_null(), "{closures}");
        Ok(())
    })
    .await?;
    let closures = desk.json(&["closure", "list"]).await?;
    ensure!(closures[0]["by"] == "Suzuki" && closures[1].is_null(), "{closures}");
    let withdraw = ["statement", "withdraw", "--facility", CODE, "--statement", id, "--by", "Sato", "--why", "中止"];
    desk.server.run(&withdraw).await?;
    wait::until("no closure", PATIENCE, async || {
        let closures = desk.json(&["closure", "list", "--facility", CODE]).await?;
        ensure!(closures == serde_json::json!([]), "{closures}");
        Ok(())
    })
    .await?;
    Ok(())
}
