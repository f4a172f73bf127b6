//! Pages whose queries hang hold up nobody but themselves, and their queries end.

use std::time::Duration;

use anyhow::{Result, ensure};
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
/// More than all connections of a server together.
const PAGES: usize = 40;

/// How many queries wait for the locked table.
async fn hanging(store: &tokio_postgres::Client) -> Result<i64> {
    let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    Ok(store.query_one(query, &[]).await?.get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_hang_hold_up_neither_terminals_nor_the_projection() -> Result<()> {
    let world = World::new("slow-pages").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},とまる医院,東京都\n")).await?;
    wait::until(CODE, PATIENCE, async || server.facility(CODE).await).await?;
    // Only the page of the list reads this table.
    let mut store = world.store().await?;
    let held = store.transaction().await?;
    held.batch_execute("LOCK TABLE registry.snapshot IN ACCESS EXCLUSIVE MODE").await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let pages: Vec<_> = (0..PAGES)
        .map(|_| tokio::spawn(client.get(format!("{}/listing", server.web)).timeout(Duration::from_secs(60)).send()))
        .collect();
    let watching = world.store().await?;
    wait::until("pages that hang", PATIENCE, async || {
        ensure!(hanging(&watching).await? >= 6);
        Ok(())
    })
    .await?;
    // A terminal enrols, connects and reports; the projection goes on, and the lease is held.
    let agent = Agent::start(&world, &server, CODE, AgentPlan::default()).await?;
    std::fs::write(agent.face.join("OQSsiquc01res_face_1_1.xml"), "<XmlMsg/>")?;
    wait::until("the terminal's result", Duration::from_secs(10), async || {
        let query = "SELECT count(*) FROM projection.fact WHERE kind = 'linkage_result_observed'";
        ensure!(watching.query_one(query, &[]).await?.get::<_, i64>(0) == 1);
        Ok(())
    })
    .await?;
    ensure!(!server.log().contains("failed to renew the lease"), "{}", server.log());
    // Each page is answered, and its query has ended although the table is still locked.
    for page in pages {
        let status = page.await??.status();
        ensure!(status.is_server_error(), "{status}");
    }
    wait::until("no query of a page", PATIENCE, async || {
        let left = hanging(&watching).await?;
        ensure!(left == 0, "{left} are left");
        Ok(())
    })
    .await?;
    held.rollback().await?;
    wait::until("the page", PATIENCE, async || {
        Ok(client.get(format!("{}/listing", server.web)).send().await?.error_for_status().map(drop)?)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_a_page_that_nobody_waits_for_is_cancelled() -> Result<()> {
    let world = World::new("gone-pages").await?;
    let server = Server::start(&world, Plan::default()).await?;
    let mut store = world.store().await?;
    let held = store.transaction().await?;
    held.batch_execute("LOCK TABLE registry.snapshot IN ACCESS EXCLUSIVE MODE").await?;
    let watching = world.store().await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let page = tokio::spawn(client.get(format!("{}/listing", server.web)).send());
    wait::until("the page to hang", PATIENCE, async || {
        ensure!(hanging(&watching).await? > 0);
        Ok(())
    })
    .await?;
    // The reader closes the page: its query ends long before the limit of a query.
    page.abort();
    wait::until("the query to end", Duration::from_secs(5), async || {
        ensure!(hanging(&watching).await? == 0);
        Ok(())
    })
    .await?;
    held.rollback().await?;
    wait::until("the page", PATIENCE, async || {
        Ok(client.get(format!("{}/listing", server.web)).send().await?.error_for_status().map(drop)?)
    })
    .await
}
