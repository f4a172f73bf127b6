//! Short-lived result files in a folder with many other files.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use yomitori_simulation::clock;
use yomitori_tests::hostile::chance::print_line;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
const OTHERS: usize = 5_000;
const RESULTS: usize = 1_000;
const AT_ONCE: usize = 20;
const LIVES: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(90);

const SUCCEEDED: &str = "<?xml version=\"1.0\"?><XmlMsg><MessageHeader><SegmentOfResult>1</SegmentOfResult></MessageHeader>\
                         <MessageBody><ProcessingResultStatus>1</ProcessingResultStatus><ResultList>";

/// Creates results that live 100 ms next to 5,000 files; returns how many were observed, and of how many the header was
/// read.
async fn seen(test: &str, level: &str) -> Result<(i64, i64)> {
    let world = World::new(test).await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},いそがし診療所,東京都\n")).await?;
    let more = format!("[collection]\nlevel = {level:?}\n");
    let mut agent = Agent::prepare(&world, &server.uplink, AgentPlan { more, ..AgentPlan::default() })?;
    agent.enrol(&server, CODE).await?;
    for number in 0..OTHERS {
        std::fs::write(agent.face.join(format!("del{number:05}.txt")), "")?;
    }
    agent.launch()?;
    let store = world.store().await?;
    let count = async |what: &str| -> Result<i64> {
        let query = format!("SELECT count(*) FROM projection.fact WHERE kind = 'linkage_result_observed' AND {what}");
        Ok(store.query_one(&query, &[]).await?.get(0))
    };
    wait::until("what was there", PATIENCE, async || {
        let others = count("true").await?;
        ensure!(others >= i64::try_from(OTHERS)?, "{others} others");
        Ok(())
    })
    .await?;
    // A terminal of its own does nothing else.
    agent.process()?.prefer()?;
    for _ in 0..RESULTS / AT_ONCE {
        try_join_all((0..AT_ONCE).map(|_| agent.face_result_for(clock::now(), LIVES, SUCCEEDED))).await?;
    }
    let result = "event::text LIKE '%face_result%'";
    // The last file arrives after all others.
    std::fs::write(agent.face.join("last.txt"), "")?;
    wait::until("the last", PATIENCE, async || {
        let all = count(&format!("NOT {result}")).await?;
        ensure!(all > i64::try_from(OTHERS)?, "{all} others");
        Ok(())
    })
    .await?;
    let (seen, read) = (count(result).await?, count(&format!("{result} AND event::text LIKE '%\"ok\"%'")).await?);
    print_line(&format!("{level}: {seen} of {RESULTS} seen, {read} read"));
    Ok((seen, read))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_lives_for_a_tenth_of_a_second_is_seen_among_five_thousand_files() -> Result<()> {
    let (seen, read) = seen("results-names", "names").await?;
    ensure!(seen >= 999 && read == 0, "{seen} of {RESULTS} seen, {read} read");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn and_its_header_is_read_in_that_time_where_the_clinic_has_agreed() -> Result<()> {
    // One pause of this machine, which runs other tests, costs all files of that moment: after it, both other rounds
    // have to succeed.
    let mut rounds = Vec::new();
    for round in 1..=3 {
        let (seen, read) = seen(&format!("results-headers-{round}"), "headers").await?;
        ensure!(seen >= 999, "{seen} of {RESULTS} seen, {read} read");
        if round == 1 && read >= 990 {
            return Ok(());
        }
        rounds.push(read);
    }
    ensure!(rounds[1..].iter().all(|read| *read >= 990), "{rounds:?} of {RESULTS} read");
    Ok(())
}
