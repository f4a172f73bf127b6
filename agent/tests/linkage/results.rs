//! Results as programs really write, move and touch them.

use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use chrono::TimeDelta;
use yomitori_agent::clock;
use yomitori_proto::event::LinkageResultObserved;
use yomitori_proto::vocabulary::{CollectionLevel, LinkageKind, ReadOutcome};

use crate::desk::{Desk, allowed, name, name_at, put};

fn is_face_result(seen: &LinkageResultObserved) -> bool {
    seen.kind == LinkageKind::FaceResult
}

#[test]
fn a_result_that_is_written_elsewhere_and_moved_into_place_is_one_result() -> Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    // Written beside it, under another name.
    let temporary = desk.face().join(format!("{}.tmp", name(1)));
    fs::write(&temporary, "<XmlMsg/>")?;
    fs::rename(&temporary, desk.face().join(name(1)))?;
    // Moved in from another folder.
    let elsewhere = desk.root.path().join("elsewhere.xml");
    fs::write(&elsewhere, "<XmlMsg/>")?;
    fs::rename(&elsewhere, desk.face().join(name(2)))?;
    // Moved in from another drive: copied, and deleted there.
    fs::write(&elsewhere, "<XmlMsg/>")?;
    fs::copy(&elsewhere, desk.face().join(name(3)))?;
    fs::remove_file(&elsewhere)?;
    desk.until("the results", |desk| desk.reported.iter().filter(|seen| is_face_result(seen)).count() == 3);
    // A listing follows within a second and finds nothing more.
    desk.pass(Duration::from_millis(1_500));
    desk.stop();
    assert_eq!(desk.reported.iter().filter(|seen| is_face_result(seen)).count(), 3, "{:?}", desk.reported);
    Ok(())
}

#[test]
fn what_a_scanner_touches_is_not_reported_again() -> Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    (0..300).for_each(|number| put(&desk.face(), number));
    desk.until("the results", |desk| desk.reported.len() == 300);
    for number in 0..300 {
        let path = desk.face().join(name(number));
        drop(fs::read(&path)?);
        File::options().write(true).open(&path)?.set_modified(SystemTime::now())?;
        fs::set_permissions(&path, fs::metadata(&path)?.permissions())?;
    }
    put(&desk.face(), 300);
    desk.until("the one that is new", |desk| desk.reported.len() == 301);
    desk.pass(Duration::from_millis(1_500));
    desk.stop();
    assert_eq!((desk.reported.len(), desk.gaps.len()), (301, 0));
    Ok(())
}

#[test]
fn a_header_in_three_parts_is_read_once_and_whole_in_any_encoding() -> Result<()> {
    let start = b"<XmlMsg><MessageHeader><ErrorMessage>";
    // The same message in Shift_JIS and in UTF-8.
    let (shift_jis, utf8) = ([0x83_u8, 0x47, 0x83, 0x89, 0x81, 0x5B], "エラー".as_bytes());
    let rest = b"</ErrorMessage><SegmentOfResult>9</SegmentOfResult><ErrorCode>E006</ErrorCode></MessageHeader>";
    let mut desk = Desk::new()?;
    desk.limit = allowed(desk.root.path(), CollectionLevel::Headers);
    desk.warm_up()?;
    for (number, mark, message) in [(1, &b""[..], &shift_jis[..]), (2, &[0xEF, 0xBB, 0xBF][..], utf8)] {
        let mut file = File::create(desk.face().join(name(number)))?;
        for part in [[mark, &start[..]].concat(), message.to_vec(), rest.to_vec()] {
            file.write_all(&part)?;
            desk.pass(Duration::from_millis(300));
        }
        desk.until("the outcome", |desk| desk.reported.len() == number);
    }
    desk.stop();
    let outcomes: Vec<_> = desk.reported.iter().map(|seen| (seen.outcome, seen.error_code.as_deref())).collect();
    assert_eq!(outcomes, [(ReadOutcome::Error, Some("E006")); 2]);
    Ok(())
}

#[test]
fn two_results_of_one_second_differ_and_a_copy_that_is_restored_later_does_not() -> Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    let at = clock::now() - TimeDelta::days(1);
    let files = [1, 2].map(|number| desk.face().join(name_at(number, at)));
    for file in &files {
        fs::write(file, "<XmlMsg/>")?;
        // Moved to the trash at once.
        fs::remove_file(file)?;
    }
    desk.until("both", |desk| desk.reported.len() == 2);
    // The agent forgets a file some time after it is gone.
    desk.until("both to be forgotten", |desk| desk.forgotten.len() == 2);
    fs::write(&files[0], "<XmlMsg/>")?;
    desk.until("the copy", |desk| desk.reported.len() == 3);
    desk.stop();
    let [one, other, copy] = [0, 1, 2].map(|index| (desk.reported[index].file_at, desk.reported[index].name_tag));
    assert!(one.0.is_some() && one.1.is_some(), "{one:?}");
    assert!(one != other && one.0 == other.0, "{one:?} {other:?}");
    assert_eq!(one, copy);
    Ok(())
}
