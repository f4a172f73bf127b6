//! The linkage source on real folders: every file is reported once, despite lost notifications and restarts.

mod desk;
mod paths;
mod results;

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use yomitori_proto::event::LinkageResultObserved;
use yomitori_proto::uplink::Settings;
use yomitori_proto::vocabulary::{CollectionLevel, LinkageKind, ReadOutcome};

use desk::{Desk, allowed, name, put};

#[test]
fn files_are_reported_once_over_notification_rescan_and_restart() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    put(&desk.face(), 1);
    desk.start()?;
    desk.until("the file that was there", |desk| desk.reported.len() == 1);
    put(&desk.face(), 2);
    fs::write(desk.face().join("TKKsiquc01req_01202604010930P0000123.xml"), "")?;
    desk.until("the files that came", |desk| desk.reported.len() == 3);
    let kinds: Vec<_> = desk.reported.iter().map(|seen| seen.kind).collect();
    assert_eq!(kinds, [LinkageKind::FaceResult, LinkageKind::FaceResult, LinkageKind::Other]);
    desk.stop();

    put(&desk.face(), 3);
    desk.start()?;
    desk.until("the file that came meanwhile", |desk| desk.reported.len() == 4);
    desk.stop();
    assert_eq!((desk.reported.len(), desk.gaps.len()), (4, 0));
    Ok(())
}

#[test]
fn results_that_are_gone_at_once_are_reported_by_their_name_alone() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    for number in 0..2_000 {
        fs::write(desk.face().join(format!("other{number}.txt")), "")?;
    }
    desk.start()?;
    desk.until("what was there", |desk| desk.reported.len() == 2_000);
    fs::write(desk.face().join("first.txt"), "")?;
    desk.until("a file that came", |desk| desk.reported.len() == 2_001);
    desk.reported.clear();
    for number in 0..300 {
        let path = desk.face().join(name(number));
        fs::write(&path, "<XmlMsg/>")?;
        fs::remove_file(&path)?;
        while desk.next(Duration::ZERO) {}
    }
    desk.until("all of them", |desk| desk.reported.len() == 300);
    desk.stop();
    assert!(desk.reported.iter().all(|seen| seen.kind == LinkageKind::FaceResult));
    assert_eq!((desk.reported.len(), desk.gaps.len()), (300, 0));
    Ok(())
}

#[test]
fn a_folder_that_comes_back_is_watched_again_and_the_gap_reported() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    fs::remove_dir_all(desk.face())?;
    fs::create_dir(desk.face())?;
    put(&desk.face(), 1);
    desk.until("a file in the new folder", |desk| desk.reported.len() == 1);

    fs::remove_dir_all(desk.face())?;
    let gaps = desk.gaps.len();
    // The folder is checked once a second, and only a check can find that it is gone.
    desk.pass(Duration::from_millis(2_500));
    fs::create_dir(desk.face())?;
    desk.until("the gap", |desk| desk.gaps.len() > gaps);
    put(&desk.face(), 2);
    desk.until("a file after the gap", |desk| desk.reported.len() == 2);
    let path = desk.face().join(name(3));
    fs::write(&path, "")?;
    fs::remove_file(&path)?;
    desk.until("a file that was gone at once", |desk| desk.reported.len() == 3);
    desk.stop();
    Ok(())
}

#[test]
fn a_mark_is_forgotten_some_time_after_its_file_is_gone() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    put(&desk.face(), 1);
    desk.until("the file", |desk| desk.reported.len() == 1);
    assert_eq!(desk.marks.len(), 2);
    fs::remove_file(desk.face().join(name(1)))?;
    desk.until("the mark to go", |desk| desk.forgotten.len() == 1);
    desk.stop();
    assert_eq!((desk.reported.len(), desk.marks.len()), (1, 1));
    Ok(())
}

#[test]
fn lost_notifications_are_replaced_by_a_listing_and_reported() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    // More than the system's queue and everything behind it hold.
    const FILES: usize = 30_000;
    // Nothing is received here, so that the source waits and the system's queue behind it overflows.
    for number in 0..FILES {
        put(&desk.face(), number);
    }
    desk.until("all of them and the gap", |desk| desk.reported.len() == FILES && desk.gaps.len() == 1);
    desk.stop();
    assert_eq!((desk.reported.len(), desk.gaps.len()), (FILES, 1));
    Ok(())
}

const DONE: &str = "<XmlMsg><MessageHeader><SegmentOfResult>1</SegmentOfResult></MessageHeader><MessageBody>\
                    <ProcessingResultStatus>1</ProcessingResultStatus><ResultList><Name>山田太郎</Name></ResultList>";
const FAILED: &str =
    "<XmlMsg><MessageHeader><SegmentOfResult>9</SegmentOfResult><ErrorCode>E006</ErrorCode></MessageHeader>";

#[test]
fn headers_are_read_where_the_clinic_has_opted_in_and_nowhere_else() -> anyhow::Result<()> {
    let outcomes = |desk: &Desk| {
        let of = |seen: &LinkageResultObserved| (seen.outcome, seen.error_code.clone());
        desk.reported.iter().map(of).collect::<Vec<_>>()
    };
    for (level, expected) in [
        (CollectionLevel::Names, vec![(ReadOutcome::NotRead, None); 2]),
        (CollectionLevel::Headers, vec![(ReadOutcome::Ok, None), (ReadOutcome::Error, Some("E006".to_owned()))]),
    ] {
        let mut desk = Desk::new()?;
        desk.limit = allowed(desk.root.path(), level);
        desk.warm_up()?;
        fs::write(desk.face().join(name(1)), DONE)?;
        desk.until("the first", |desk| desk.reported.len() == 1);
        fs::write(desk.face().join(name(2)), FAILED)?;
        desk.until("the second", |desk| desk.reported.len() == 2);
        desk.stop();
        assert_eq!(outcomes(&desk), expected, "{level:?}");
    }
    Ok(())
}

#[test]
fn a_header_that_is_written_slowly_is_waited_for_and_what_is_no_file_is_not_opened() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    desk.limit = allowed(desk.root.path(), CollectionLevel::Headers);
    desk.warm_up()?;
    let (first, rest) = DONE.split_at(40);
    fs::write(desk.face().join(name(1)), first)?;
    desk.until("a look at half a file", |desk| desk.face().join(name(1)).exists());
    fs::OpenOptions::new().append(true).open(desk.face().join(name(1)))?.write_all(rest.as_bytes())?;
    desk.until("the whole file", |desk| desk.reported.len() == 1);
    assert_eq!(desk.reported[0].outcome, ReadOutcome::Ok);

    // Opening a pipe would block everything.
    let pipe = desk.face().join(name(2));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status()?.success());
    std::os::unix::fs::symlink("/etc/hostname", desk.face().join(name(3)))?;
    fs::write(desk.face().join(name(4)), "encrypted")?;
    desk.until("all of them", |desk| desk.reported.len() == 4);
    fs::write(desk.face().join(name(5)), "<XmlMsg>")?;
    desk.until("the one that never ends", |desk| desk.reported.len() == 5);
    desk.stop();
    assert!(desk.reported[1..].iter().all(|seen| seen.outcome == ReadOutcome::Unreadable && seen.error_code.is_none()));
    Ok(())
}

#[test]
fn files_that_appear_while_the_server_pauses_collection_are_never_reported() -> anyhow::Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    let limit = Arc::clone(&desk.limit);
    let asks = |most| limit.apply(Settings::limiting(most), yomitori_agent::clock::now());
    put(&desk.face(), 1);
    desk.until("the result of before", |desk| desk.reported.len() == 1);

    asks(CollectionLevel::Readers);
    put(&desk.face(), 2);
    // A restart changes nothing: collection stays paused.
    desk.stop();
    desk.limit = allowed(desk.root.path(), CollectionLevel::Names);
    desk.start()?;
    put(&desk.face(), 3);
    let limit = Arc::clone(&desk.limit);
    limit.apply(Settings::limiting(CollectionLevel::Headers), yomitori_agent::clock::now());
    // The last file proves that the others were skipped. Its time is set explicitly, because file times are coarser
    // than a clock; and before it appears, because a listing between the two would take it for one of the pause.
    let elsewhere = desk.root.path().join(name(4));
    fs::write(&elsewhere, "<XmlMsg/>")?;
    fs::File::options().write(true).open(&elsewhere)?.set_modified(SystemTime::now())?;
    fs::rename(elsewhere, desk.face().join(name(4)))?;
    desk.until("the result of after", |desk| desk.reported.len() == 2);
    desk.stop();
    assert_eq!(desk.reported.len(), 2, "{:?}", desk.reported);
    assert_eq!(desk.gaps.len(), 0, "a paused collection is not a gap");

    // They are not reported after another start either, as long as they exist.
    desk.start()?;
    put(&desk.face(), 5);
    desk.until("a result of later", |desk| desk.reported.len() == 3);
    desk.stop();
    assert_eq!(desk.reported.len(), 3, "{:?}", desk.reported);
    Ok(())
}
