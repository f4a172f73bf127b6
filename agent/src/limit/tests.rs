//! The server can lower what is collected and never raise it; a limit is stored and reported once.

use proptest::prelude::*;
use yomitori_proto::wire::{self, down};

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_775_000_000 + second, 0).unwrap()
}

/// Settings of a newer server, which this agent does not understand.
fn from_the_future() -> Settings {
    let settings = wire::Settings { hash: 7, most: CollectionLevel::Readers.to_wire() };
    let down = wire::Down { message: Some(down::Message::Settings(settings)) };
    match yomitori_proto::uplink::Answer::read(down).unwrap() {
        Some(yomitori_proto::uplink::Answer::Settings(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_server_can_lower_and_never_raise() {
    for configured in [CollectionLevel::Readers, CollectionLevel::Names, CollectionLevel::Headers] {
        let dir = tempfile::tempdir().unwrap();
        let limit = Limit::open(dir.path(), configured);
        assert_eq!(limit.level(), configured);
        for most in [CollectionLevel::Headers, CollectionLevel::Readers, CollectionLevel::Names] {
            let taken = limit.apply(Settings::limiting(most), at(0)).unwrap();
            assert_eq!(limit.level(), configured.min(most));
            assert_eq!((taken.collection, taken.outcome), (configured.min(most), SettingsOutcome::Applied));
            assert_eq!(limit.is_lowered(), most < configured);
        }
    }
}

#[test]
fn what_was_understood_last_holds_over_restarts_and_over_what_is_not_understood() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings::limiting(CollectionLevel::Readers);
    let limit = Limit::open(dir.path(), CollectionLevel::Headers);
    assert!(limit.apply(settings, at(0)).is_some());
    assert_eq!(limit.apply(settings, at(1)), None, "it is reported once");
    limit.report_again();
    assert!(limit.apply(settings, at(1)).is_some(), "a report that could not be sent is given again");

    let again = Limit::open(dir.path(), CollectionLevel::Headers);
    assert_eq!(again.level(), CollectionLevel::Readers);
    let taken = again.apply(from_the_future(), at(2)).unwrap();
    assert_eq!((taken.settings_hash, taken.outcome), (7, SettingsOutcome::NotUnderstood));
    assert_eq!((taken.collection, again.level()), (CollectionLevel::Readers, CollectionLevel::Readers));
}

#[test]
fn a_file_that_cannot_be_read_means_the_least() {
    for broken in ["", "{", "{\"settings_hash\":1,\"most\":\"unknown\",\"paused\":[]}", "\u{0}\u{1}"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), broken).unwrap();
        let limit = Limit::open(dir.path(), CollectionLevel::Headers);
        assert_eq!(limit.level(), CollectionLevel::Readers, "{broken}");
        limit.apply(Settings::limiting(CollectionLevel::Names), at(0)).unwrap();
        assert_eq!(Limit::open(dir.path(), CollectionLevel::Headers).level(), CollectionLevel::Names);
    }
}

#[test]
fn settings_that_cannot_be_written_down_hold_until_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Limit::open(&dir.path().join("gone"), CollectionLevel::Names);
    let taken = limit.apply(Settings::limiting(CollectionLevel::Readers), at(0)).unwrap();
    assert_eq!(taken.outcome, SettingsOutcome::NotKept);
    assert_eq!(limit.level(), CollectionLevel::Readers);
}

proptest! {
    /// For any order of settings and restarts: an instant is paused exactly if the settings at that instant did not
    /// allow names.
    #[test]
    fn an_instant_is_paused_if_names_were_not_allowed_then(
        steps in prop::collection::vec((prop::sample::select(&CollectionLevel::ALL[1..]), any::<bool>()), 0..8)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut limit = Limit::open(dir.path(), CollectionLevel::Headers);
        let mut then = vec![CollectionLevel::Headers];
        for (step, (most, restarts)) in (1..).zip(steps) {
            limit.apply(Settings::limiting(most), at(step * 10));
            if restarts {
                limit = Limit::open(dir.path(), CollectionLevel::Headers);
            }
            then.push(most);
        }
        for (step, most) in (0..).zip(then) {
            prop_assert_eq!(limit.collection_was_paused_at(at(step * 10 + 5)), most == CollectionLevel::Readers, "step {}", step);
        }
    }
}
