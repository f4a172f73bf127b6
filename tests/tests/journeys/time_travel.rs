//! The status shown at an instant (transaction time): it is recorded whenever a facility's row changes, including a
//! swap of generations.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";

struct Desk {
    world: World,
    server: Server,
}

impl Desk {
    /// The database's clock, by which the time of a row is recorded.
    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(self.world.store().await?.query_one("SELECT clock_timestamp()", &[]).await?.get(0))
    }

    async fn shown(&self, at: DateTime<Utc>) -> Result<Vec<Value>> {
        let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let answer = self.server.run(&["status", "--known-at", &at, "--format", "json"]).await?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Waits until the status history is complete.
    async fn history_is_complete(&self) -> Result<()> {
        let store = self.world.store().await?;
        wait::until("the status history to be computed again", PATIENCE, async || {
            let row = store.query_one("SELECT facilities FROM analytics.status_as_of_lag", &[]).await?;
            ensure!(row.get::<_, i64>(0) == 0, "some are still due");
            Ok(())
        })
        .await
    }

    async fn becomes(&self, axis: &str, expected: &str) -> Result<DateTime<Utc>> {
        wait::until(&format!("{axis} {expected}"), PATIENCE, async || {
            let status = self.server.run(&["status", "--facility", CODE, "--format", "json"]).await?;
            let status: Value = serde_json::from_str(&status)?;
            ensure!(status[axis]["key"] == expected, "{}", status[axis]);
            self.now().await
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_shown_at_an_instant_is_independent_of_later_facts() -> Result<()> {
    let world = World::new("time-travel").await?;
    let server = Server::start(&world, Plan::default()).await?;
    let desk = Desk { world, server };
    let before = desk.now().await?;
    desk.server
        .import(&format!("code,name,prefecture\n{CODE},きのうの医院,東京都\n1339999011,べつの医院,東京都\n"))
        .await?;
    let imported = desk.becomes("eligible", "not_yet").await?;
    // A read months ago is stated today: the status shown before stays unchanged.
    desk.server
        .run(&["read", "record", "--os", "ios", "--facility", CODE, "--at", "2025-10-01T10:00", "--by", "Suzuki"])
        .await?;
    let attested = desk.becomes("eligible", "eligible").await?;
    desk.server
        .run(&["intent", "set", "--intent", "do_not_want", "--facility", CODE, "--by", "Suzuki", "--why", "x"])
        .await?;
    let opted_out = desk.becomes("opt_out", "needed").await?;

    ensure!(desk.shown(before).await?.is_empty(), "nothing was shown then");
    let axes = |shown: &[Value], axis: &str| -> Vec<String> {
        shown.iter().map(|facility| facility[axis].as_str().unwrap_or("-").to_owned()).collect()
    };
    let cases = [
        (imported, "eligible", ["not_yet", "not_yet"]),
        (attested, "eligible", ["eligible", "not_yet"]),
        (attested, "intent", ["undecided", "undecided"]),
        (opted_out, "intent", ["do_not_want", "undecided"]),
        (opted_out, "opt_out", ["needed", "not_needed"]),
    ];
    for (at, axis, expected) in cases {
        let shown = desk.shown(at).await?;
        ensure!(axes(&shown, axis) == expected, "{axis} at {at}: {shown:?}");
    }
    let answer = desk.server.run(&["status", "--facility", CODE, "--known-at", &attested.to_rfc3339()]).await?;
    ensure!(answer.contains("きのうの医院") && !answer.contains("べつの医院"), "{answer}");

    // The data are tampered with; a swap restores them, and both statuses stay recorded.
    let store = desk.world.store().await?;
    store.execute("UPDATE projection.facility_row SET eligible = 'not_yet' WHERE code = $1", &[&CODE]).await?;
    store.execute("DELETE FROM projection.facility_row WHERE code = '1339999011'", &[]).await?;
    desk.server.run(&["rebuild"]).await?;
    let tampered = desk.now().await?;
    desk.server.run(&["rebuild", "swap"]).await?;
    let repaired = desk.becomes("eligible", "eligible").await?;
    ensure!(axes(&desk.shown(repaired).await?, "eligible") == ["eligible", "not_yet"]);
    let kept = "SELECT count(*) FROM registry.status_shown WHERE known_from > $1";
    let kept: i64 = store.query_one(kept, &[&tampered]).await?.get(0);
    ensure!(kept == 2, "{kept} rows say that the exchange showed something else");

    // An analyst queries the database.
    let query = "SELECT eligible, known_from FROM analytics.status_known_at($1, (SELECT facility_id FROM \
                 projection.facility WHERE code = $2))";
    let row = store.query_opt(query, &[&attested, &CODE]).await?.context("the facility was shown then")?;
    ensure!(row.get::<_, String>(0) == "eligible" && row.get::<_, DateTime<Utc>>(1) <= attested);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_history_follows_from_everything_known_now() -> Result<()> {
    let world = World::new("as-of").await?;
    let server = Server::start(&world, Plan::default()).await?;
    let desk = Desk { world, server };
    let line = |code: &str| format!("code,name,prefecture\n{code},あとからの医院,東京都\n");
    desk.server.import(&line(CODE)).await?;
    desk.becomes("eligible", "not_yet").await?;
    let run = async |words: &[&str]| desk.server.run(&[words, &["--facility", CODE, "--by", "Suzuki"]].concat()).await;
    // Today's statement counts from its valid time; the status shown at that time stays unchanged.
    run(&["read", "record", "--os", "ios", "--at", "2025-10-01T10:00"]).await?;
    desk.becomes("eligible", "eligible").await?;
    desk.history_is_complete().await?;
    let as_of = async |at: &str| -> Result<Vec<Value>> {
        let answer = desk.server.run(&["status", "--as-of", at, "--format", "json"]).await?;
        Ok(serde_json::from_str(&answer)?)
    };
    let eligible = async |at: &str| -> Result<String> {
        Ok(as_of(at).await?.first().map_or("-", |past| past["eligible"].as_str().unwrap_or("?")).to_owned())
    };
    ensure!(eligible("2025-10-01T09:59").await? == "-", "nothing was known to be so then");
    ensure!(eligible("2025-10-01T10:00").await? == "eligible");
    let known = desk.server.run(&["status", "--known-at", "2025-10-01T10:00", "--format", "json"]).await?;
    ensure!(known.trim() == "[]", "nothing was shown then: {known}");

    // A later statement changes the status history again, and the status shown in between stays unchanged.
    let meanwhile = desk.now().await?;
    run(&["read", "record", "--os", "ios", "--at", "2025-09-25T10:00"]).await?;
    run(&["intent", "set", "--intent", "do_not_want", "--why", "x"]).await?;
    desk.becomes("opt_out", "needed").await?;
    desk.history_is_complete().await?;
    ensure!(eligible("2025-09-25T10:00").await? == "eligible");
    let shown = desk.shown(meanwhile).await?;
    ensure!(shown[0]["eligible"] == "eligible" && shown[0]["opt_out"] == "not_needed", "{shown:?}");

    // For the current instant, both histories agree with the current row.
    let now = "SELECT count(*) FROM projection.facility f JOIN analytics.status_as_of(now()) t USING (facility_id) \
               JOIN analytics.status_known_at(now()) k USING (facility_id) \
               WHERE (f.code, f.name, f.eligible, f.evidence, f.evidence_level, f.equipment, f.intent, f.opt_out, f.listing, f.freshness, f.flags) \
               IS NOT DISTINCT FROM (t.code, t.name, t.eligible, t.evidence, t.evidence_level, t.equipment, t.intent, t.opt_out, t.listing, t.freshness, t.flags) \
               AND (f.eligible, f.opt_out, f.flags) = (k.eligible, k.opt_out, k.flags)";
    let same: i64 = desk.world.store().await?.query_one(now, &[]).await?.get(0);
    ensure!(same == 1, "what is shown now, what is true now and what is known now are one");

    // The page has one control for both.
    let page = format!("{}/facilities/{CODE}?lang=ja&at=2025-10-01T10:00", desk.server.web);
    let page = reqwest::get(page).await?.text().await?;
    ensure!(
        page.contains("実際の状態（今の知識で）") && page.contains("当時の表示") && page.contains("記録なし"),
        "{page}"
    );
    let refused = reqwest::get(format!("{}/facilities/{CODE}?at=yesterday", desk.server.web)).await?;
    ensure!(refused.status() == 400, "{}", refused.status());

    // Facts that are read again from the log give a recomputed history.
    desk.server.run(&["rebuild", "--facts"]).await?;
    desk.server.run(&["rebuild", "swap"]).await?;
    desk.history_is_complete().await?;
    ensure!(eligible("2025-09-25T10:00").await? == "eligible");
    Ok(())
}
