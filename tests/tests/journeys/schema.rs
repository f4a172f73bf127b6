//! A program and a database of different versions detect each other: nothing is changed, and the message names the
//! remedy.

use anyhow::{Result, ensure};
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_version_is_refused_with_the_remedy() -> Result<()> {
    let world = World::new("schema").await?;
    let server = Server::prepare(&world, Plan::default()).await?;
    let store = world.store().await?;
    let refused = async |expected: &str| -> Result<()> {
        for command in [&["serve"][..], &["log", "verify"]] {
            let output = server.try_run(command).await?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(!output.status.success() && said.contains(expected), "{command:?}: {}: {said}", output.status);
        }
        Ok(())
    };
    let later = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
                 SELECT 9999, 'later', applied_on, checksum FROM refinery_schema_history LIMIT 1";
    store.batch_execute(later).await?;
    refused("run the newer program").await?;
    store.batch_execute("DELETE FROM refinery_schema_history WHERE version > 9").await?;
    refused("yomitori-server migrate").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_not_migrated_under_a_running_server_and_one_that_runs_notices() -> Result<()> {
    let world = World::new("schema-running").await?;
    let mut server = Server::start(&world, Plan::default()).await?;
    let store = world.store().await?;
    wait::until("the server's lease", PATIENCE, async || {
        let leases = "SELECT count(*) FROM registry.lease WHERE expires_at > now()";
        ensure!(store.query_one(leases, &[]).await?.get::<_, i64>(0) == 1);
        Ok(())
    })
    .await?;
    let last: i32 = store.query_one("SELECT max(version) FROM refinery_schema_history", &[]).await?.get(0);
    store.execute("DELETE FROM refinery_schema_history WHERE version = $1", &[&last]).await?;
    let output = server.try_run(&["migrate"]).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success() && said.contains("stop every server first"), "{}: {said}", output.status);

    let later = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
                 SELECT 9999, 'later', applied_on, checksum FROM refinery_schema_history LIMIT 1";
    store.batch_execute(later).await?;
    server.process()?.ended(PATIENCE).await?;
    ensure!(server.log().contains("run the newer program"), "{}", server.log());
    Ok(())
}
