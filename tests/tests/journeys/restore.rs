//! Back up and restore: the commands of `deploy/docs/backup.md` are run as the page has them, on real Kafka and
//! PostgreSQL, and what was shown before is shown again.

mod page;
mod site;

use anyhow::{Context, Result, ensure};
use yomitori_tests::world::wait::{self, PATIENCE};

use site::{AFTER, DURING, Site, TERMINAL, analyst, analysts_rights};

const PAGE: &str = "backup.md";
const EVERYTHING: &str = "Restore everything on a new machine";
const POSTGRES: &str = "Restore PostgreSQL only";
/// Registered after the backup.
const LOST: &str = "1319999031";
const OLDER: &str = "The topic is older than the database";

/// The two halves of a backup: what is done while everything runs, and the cold copy of the topic.
fn backup() -> Result<(String, String)> {
    let block = page::block(PAGE, "Back up")?;
    let (running, cold) = block.split_once("# 3.").context("the third step of the backup")?;
    Ok((running.to_owned(), format!("# 3.{cold}")))
}

/// The commands that put the files back, and those that compare before the server starts.
fn restore() -> Result<[String; 2]> {
    let blocks = page::blocks(PAGE, EVERYTHING)?;
    blocks.try_into().ok().context("two blocks of commands")
}

/// Whether `log verify` found no difference. An empty database has none either: there, nothing is compared.
fn agrees_on_something(said: &str) -> bool {
    said.contains("they agree") && !said.contains("/ 0 records")
}

impl Site {
    /// The page's comparison before the server starts.
    async fn compare(&mut self) -> Result<()> {
        let [_, compare] = restore()?;
        let said = self.run(&compare).await?;
        ensure!(said.matches(" OK").count() == 4 && !said.contains(" NG") && agrees_on_something(&said), "{said}");
        Ok(())
    }

    /// Puts the copy of the topic in the place of the topic.
    async fn restore_topic(&mut self) -> Result<()> {
        let [restore, _] = restore()?;
        self.run(&page::part(&restore, "systemctl stop kafka", "systemctl start kafka")?).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_restored_on_a_new_machine() -> Result<()> {
    let mut site = Site::open("restore-all").await?;
    let (running, cold) = backup()?;
    let opened_at = site.now().await?;
    let shown = site.known_at(opened_at).await?;
    site.run(&running).await?;
    // The topic is newer than the dump.
    site.opts_out(DURING).await?;
    let kept = site.statuses().await?;
    site.run(&cold).await?;
    // This is lost: the terminal has deleted what was acknowledged.
    site.opts_out(AFTER).await?;
    site.result().await?;
    let certificate = site.certificate()?;
    site.lose_the_machine().await?;

    let [restore, _] = restore()?;
    let pg_restore = page::part(&restore, "sudo -u postgres pg_restore", "sudo -u postgres pg_restore")?;
    let refused = site.try_run(&pg_restore).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("role \"analyst\" does not exist"), "{said}");
    let role = page::part(&analyst()?, "CREATE ROLE", "CREATE ROLE")?;
    site.psql(&role).await?;
    // The half that was restored.
    site.run("sudo -u postgres dropdb yomitori; sudo -u postgres createdb --owner=yomitori yomitori").await?;
    site.run(&restore).await?;
    site.compare().await?;
    site.server.serve().await?;
    site.shows(&kept).await?;
    site.agrees().await?;

    site.connects().await?;
    ensure!(site.certificate()? == certificate, "the terminal has another certificate");
    site.result().await?;
    let missing = site.missing().await?;
    ensure!(missing.len() == 1, "the lost observations are listed: {missing:#?}");
    ensure!(site.known_at(opened_at).await? == shown, "what was shown before the backup is kept");
    let enrolled = site.enrols(&site.token).await?;
    ensure!(enrolled.status.success(), "a token of before enrols: {enrolled:?}");
    ensure!(site.analyst_reads().await? > 0);
    site.agrees().await
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_alone_is_restored_with_a_dump_and_without_one() -> Result<()> {
    let mut site = Site::open("restore-postgres").await?;
    let (running, _) = backup()?;
    site.run(&running).await?;
    site.opts_out(DURING).await?;
    site.result().await?;
    let (kept, before, at) = (site.statuses().await?, site.analyst_reads().await?, site.now().await?);

    let [with_dump, without_dump] =
        page::blocks(PAGE, POSTGRES)?.try_into().ok().context("a block with a dump, and one without")?;
    site.run(&with_dump).await?;
    site.compare().await?;
    site.server.serve().await?;
    site.shows(&kept).await?;
    site.agrees().await?;
    ensure!(site.analyst_reads().await? >= before);
    ensure!(site.count("registry.enrolment_token WHERE used_at IS NULL").await? == 1);
    site.connects().await?;
    site.result().await?;
    ensure!(site.missing().await?.is_empty(), "nothing is lost");

    site.stop().await?;
    site.run("sudo -u postgres dropdb yomitori").await?;
    let said = site.run(&without_dump).await?;
    ensure!(agrees_on_something(&said), "{said}");
    site.shows(&kept).await?;
    site.connects().await?;
    site.result().await?;
    site.agrees().await?;
    // What only the database knew.
    ensure!(site.known_at(at).await?.is_empty(), "what was shown when is lost");
    ensure!(!site.enrols(&site.token).await?.status.success(), "unused tokens are lost");
    ensure!(site.count("registry.snapshot").await? == 0 && site.analyst_reads().await.is_err());
    site.import_list().await?;
    site.psql(&analysts_rights()?).await?;
    ensure!(site.count("registry.snapshot").await? == 1 && site.analyst_reads().await? >= before);
    let token = site.server.token(TERMINAL).await?;
    ensure!(site.enrols(&token).await?.status.success(), "a new token enrols");
    site.shows(&kept).await?;
    site.agrees().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_topic_is_noticed_and_what_it_has_is_restored() -> Result<()> {
    let mut site = Site::open("restore-older").await?;
    let (running, cold) = backup()?;
    site.run(&running).await?;
    site.run(&cold).await?;
    let kept = site.statuses().await?;
    site.opts_out(AFTER).await?;
    site.result().await?;
    site.server.import(&format!("code,name,prefecture\n{LOST},きえる医院,東京都\n")).await?;
    wait::until("the facility", PATIENCE, async || site.server.facility(LOST).await).await?;
    let (lists, at) = (site.count("registry.snapshot_row").await?, site.now().await?);
    let shown = site.known_at(at).await?;
    site.stop().await?;
    site.restore_topic().await?;

    let checked = site.server.try_run(&["check"]).await?;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    ensure!(!checked.status.success() && said.contains("ends at"), "`check` does not notice it: {said}");
    let (agree, said) = site.verified().await?;
    ensure!(!agree && said.contains("ends at"), "{said}");
    site.server.run(&["rebuild", "--facts"]).await?;
    let refused = site.server.try_run(&["rebuild", "swap"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("different positions of the log"), "{said}");

    let [rebuild, scratch] = page::blocks(PAGE, OLDER)?.try_into().ok().context("two blocks of commands")?;
    let said = site.run(&rebuild).await?;
    ensure!(agrees_on_something(&said), "{said}");
    site.shows(&kept).await?;
    ensure!(site.known_at(at).await? == shown, "what was shown is kept, also of what is lost");
    ensure!(site.known_at(site.now().await?).await?.len() == kept.len(), "a facility that is lost is no longer shown");
    wait::until("the history to be computed again", PATIENCE, async || {
        let now = site.as_of_now().await?;
        ensure!(now.iter().all(|facility| facility["intent"] == "undecided"), "{now:#?}");
        Ok(())
    })
    .await?;
    ensure!(site.count("registry.snapshot_row").await? == lists);
    ensure!(site.count("registry.enrolment_token WHERE used_at IS NULL").await? == 1);
    site.psql(&analysts_rights()?).await?;
    ensure!(site.analyst_reads().await? > 0);
    let lost = site.run(&scratch).await?;
    ensure!(lost.contains("listing_intent_set"), "the lost statement is not in the late dump: {lost}");
    site.connects().await?;
    site.result().await?;
    ensure!(site.missing().await?.len() == 1, "{:#?}", site.missing().await?);
    site.agrees().await?;
    a_server_folds_nothing_of_another_log(&mut site).await
}

/// The end of the page's section: the server is started all the same, and folds nothing, also once the topic is longer.
async fn a_server_folds_nothing_of_another_log(site: &mut Site) -> Result<()> {
    site.stop().await?;
    site.agent.kill()?;
    site.restore_topic().await?;
    let facts = site.count("projection.fact").await?;
    site.server.launch()?;
    site.says("ends at").await?;
    site.outgrow().await?;
    site.says("is not the one that was folded").await?;
    ensure!(site.count("projection.fact").await? == facts, "records of another log were folded");
    let checked = site.server.try_run(&["check"]).await?;
    ensure!(!checked.status.success(), "`check` does not notice it");
    site.server.run(&["rebuild", "--facts"]).await?;
    site.server.run(&["rebuild", "swap"]).await?;
    wait::until("it to continue there", PATIENCE, async || {
        ensure!(site.is_folded().await?);
        Ok(())
    })
    .await?;
    site.agrees().await
}
