//! The supervisor: a source that hangs is reported while it hangs, and a source that dies is noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::TimeDelta;
use yomitori_agent::clock;
use yomitori_agent::condition::ConditionBoard;
use yomitori_agent::outlet::{Outlet, Signal};
use yomitori_agent::sources::RunningSource;
use yomitori_agent::sources::supervisor::Supervisor;
use yomitori_proto::event::{CollectionGap, Event};
use yomitori_proto::vocabulary::GapSource;

const SOON: Duration = Duration::from_secs(60);

fn gap(signals: &Receiver<Signal>) -> Result<CollectionGap> {
    match signals.recv_timeout(SOON).context("nothing was reported")? {
        Signal::Seen { sighting, .. } => match sighting.event {
            Event::CollectionGap(gap) => Ok(gap),
            other => anyhow::bail!("{other:?}"),
        },
        other => anyhow::bail!("{other:?}"),
    }
}

#[test]
fn a_source_that_hangs_is_a_gap_while_it_hangs_and_until_it_is_back() -> Result<()> {
    let (sender, signals) = sync_channel(16);
    let board = Arc::new(ConditionBoard::default());
    let outlet = Outlet::new(sender, Arc::clone(&board));
    let source = outlet.of_source();
    // A share that answers only once this is dropped.
    let (answers, hung) = sync_channel::<()>(0);
    let (works, count) = (Arc::new(AtomicU32::new(0)), |works: &AtomicU32| works.load(Ordering::Acquire));
    let beat = source.heart();
    let (stop, stopped) = sync_channel::<()>(0);
    let thread = thread::Builder::new().name("linkage".to_owned()).spawn(move || {
        let _ = hung.recv();
        // It beats at every turn from here on.
        while stopped.recv_timeout(Duration::from_millis(100)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            source.beat();
        }
    })?;
    let running = RunningSource::new(thread, Some(GapSource::Folder), beat, move || drop(stop));
    let beats = Arc::clone(&works);
    let (from, began) = (clock::now(), Instant::now());
    let supervisor = Supervisor::start(vec![running], outlet, move || {
        beats.fetch_add(1, Ordering::AcqRel);
    })?;

    let first = gap(&signals)?;
    ensure!(began.elapsed() < Duration::from_secs(35), "reported after {:?}", began.elapsed());
    ensure!(first.source == GapSource::Folder && (first.from - from).abs() < TimeDelta::seconds(1), "{first:?}");
    ensure!(first.to - first.from >= TimeDelta::seconds(30), "{first:?}");
    ensure!(board.condition().blind == [(GapSource::Folder, first.from)], "the desk page shows it");
    ensure!(count(&works) > 20, "the watchdog is fed, because a restart would not help");

    drop(answers);
    let last = gap(&signals)?;
    ensure!(last.from == first.to && last.to >= last.from, "{last:?} after {first:?}");
    ensure!(board.condition().blind.is_empty());
    for source in supervisor.release() {
        source.stop().join().expect("it ends in order");
    }
    ensure!(signals.recv().is_err(), "nothing more, and the supervisor lets go of the outlet");
    Ok(())
}

#[tokio::test]
async fn a_source_that_dies_is_noticed_by_its_name() -> Result<()> {
    let (sender, _signals) = sync_channel(16);
    let outlet = Outlet::new(sender, Arc::default());
    let (stop, stopped) = sync_channel::<()>(0);
    let lives = thread::Builder::new().name("pcsc".to_owned()).spawn(move || {
        let _ = stopped.recv();
    })?;
    let dies = thread::Builder::new().name("linkage".to_owned()).spawn(|| panic!("a fault of the program"))?;
    let running = vec![
        RunningSource::new(lives, Some(GapSource::Pcsc), outlet.of_source().heart(), move || drop(stop)),
        RunningSource::new(dies, Some(GapSource::Folder), outlet.of_source().heart(), || {}),
    ];
    let mut supervisor = Supervisor::start(running, outlet, || {})?;
    let name = tokio::time::timeout(SOON, supervisor.source_ended()).await?;
    ensure!(name == "linkage", "{name}");
    Ok(())
}
