//! Kafka stands still or is stopped under a running server: health and metrics name it, nothing is called current that is
//! not, and a statement whose record is not folded is not called shown.

use std::time::Duration;

use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use rustix::process::Signal;
use serde_json::Value;
use yomitori_simulation::clock;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait;

/// Kafka is asked every 5 s and has 5 s to answer; "behind" is shown after 20 s.
const NOTICED_WITHIN: Duration = Duration::from_secs(45);
const CODE: &str = "1319999015";

async fn health(server: &Server) -> Result<Value> {
    Ok(reqwest::get(format!("{}/healthz", server.web)).await?.json().await?)
}

async fn has_status(server: &Server, status: &str) -> Result<Value> {
    let mut last = Value::Null;
    wait::until(&format!("health to say {status}"), NOTICED_WITHIN, async || {
        last = health(server).await?;
        ensure!(last["status"] == status, "{last:#}");
        Ok(())
    })
    .await?;
    Ok(last)
}

fn as_of(health: &Value) -> Result<DateTime<Utc>> {
    Ok(serde_json::from_value(health["projection"]["as_of"].clone())?)
}

async fn metric(server: &Server, name: &str) -> Result<f64> {
    let metrics = reqwest::get(format!("{}/metrics", server.web)).await?.text().await?;
    let values = metrics.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
    Ok(values.filter_map(|value| value.parse().ok()).fold(f64::NAN, f64::max))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_stands_still_health_names_it_and_nothing_is_called_current() -> Result<()> {
    let world = World::with_own_services("silent-log").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},ひとこと医院,東京都\n")).await?;
    let before = has_status(&server, "ok").await?;
    ensure!(before["log"]["ok"] == true, "{before:#}");

    world.kafka.service.signal(Signal::STOP)?;
    let since = clock::now();
    let silent = has_status(&server, "log_away").await?;
    ensure!(silent["log"]["error"].as_str().is_some_and(|error| error.contains("Kafka")), "{silent:#}");
    // The pages are current up to the last answer, however long the silence lasts.
    wait::until("the lag to grow", NOTICED_WITHIN, async || {
        let lag = metric(&server, "fleet_server_projection_lag_seconds").await?;
        ensure!(lag > 15.0, "{lag} s");
        Ok(())
    })
    .await?;
    let silent = health(&server).await?;
    let claimed = as_of(&silent)? - since;
    ensure!(claimed < chrono::Duration::seconds(10), "current up to {claimed} after the last answer: {silent:#}");
    ensure!(metric(&server, "fleet_server_log_reachable").await? == 0.0);

    world.kafka.service.signal(Signal::CONT)?;
    has_status(&server, "ok").await?;
    wait::until("the pages to be current again", NOTICED_WITHIN, async || {
        let after = health(&server).await?;
        ensure!(as_of(&after)? > as_of(&silent)? && after["log"]["ok"] == true, "{after:#}");
        Ok(())
    })
    .await?;
    ensure!(metric(&server, "fleet_server_log_reachable").await? == 1.0);

    // A form whose outcome is unknown keeps its identifier: sent again, it counts once.
    world.kafka.service.signal(Signal::STOP)?;
    let id = "018f0000-0000-4000-8000-00000000aa09";
    let form = [("os", "ios"), ("at", "2026-04-01T10:30"), ("by", "鈴木"), ("why", "x"), ("id", id)];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let send = async || {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let post = client.post(format!("{}/facilities/{CODE}/record/read", server.web)).header("origin", &server.web);
        let post = post.header("content-type", "application/x-www-form-urlencoded").body(body.clone());
        let answer = post.send().await?;
        anyhow::Ok((answer.status().as_u16(), answer.text().await?))
    };
    let (status, page) = send().await?;
    ensure!(status == 503 && page.contains(&format!("name=\"id\" value=\"{id}\"")), "{status}: {page}");
    world.kafka.service.signal(Signal::CONT)?;
    has_status(&server, "ok").await?;
    ensure!(send().await?.0 == 303);
    wait::until("one read", NOTICED_WITHIN, async || {
        let count = server.facility(CODE).await?["facility"]["status"]["evidence"]["count"].clone();
        ensure!(count == 1, "{count}");
        Ok(())
    })
    .await?;

    // The same when it is stopped and started again.
    world.kafka.service.stop().await?;
    has_status(&server, "log_away").await?;
    world.kafka.service.restart().await?;
    has_status(&server, "ok").await?;
    Ok(())
}
