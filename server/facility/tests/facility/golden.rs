//! Records of every kind as written by the version that introduced the kind, folded by this version: every record in
//! the log can be folded, and its status history computed.
#![expect(clippy::disallowed_methods, reason = "a test reads files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use yomitori_facility::{Calendar, Facility, Rules, StoredJson as _, TimelineSpan, look, status, timeline};
use yomitori_proto::decode;
use yomitori_proto::event::{Event, Recorded};
use yomitori_proto::id::FacilityId;

fn golden() -> Vec<(String, Vec<Recorded>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/golden/v1");
    let entries = fs::read_dir(folder).expect("the golden files are in the tree");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let records = paths.filter(|path| path.extension().is_some_and(|extension| extension == "binpb"));
    let mut all: Vec<_> = records
        .map(|path| {
            let name = path.display().to_string();
            let bytes = fs::read(&path).expect("a golden file can be read");
            let record = decode::log_record(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, record.into_facts().collect())
        })
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

#[test]
fn every_record_ever_written_can_be_folded() {
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let golden = golden();
    let kinds: BTreeSet<&str> = golden.iter().flat_map(|(_, facts)| facts).map(|fact| fact.event.kind()).collect();
    assert_eq!(kinds, Event::KINDS.iter().copied().collect(), "a kind has no golden file");
    let of_a_facility = golden.iter().filter(|(_, facts)| facts.iter().all(|fact| fact.facility != FacilityId::FLEET));
    let mut all = Vec::new();
    for (name, facts) in of_a_facility {
        let mut facility = Facility::new(facts[0].facility);
        facts.iter().for_each(|fact| facility.apply(fact, &rules));
        let now = facts.iter().map(|fact| fact.received_at).max().unwrap() + TimeDelta::hours(1);
        let kept = facility.to_json().unwrap();
        assert_eq!(Facility::from_json(&kept).unwrap(), facility, "{name} is kept and read again");
        assert_eq!(
            status(&facility, &rules, &calendar, now).eligible.key(),
            look(&facility, &rules, &calendar, now).0.eligible
        );
        all.extend(facts.iter().cloned());
    }
    let id = all[0].facility;
    assert!(all.iter().all(|fact| fact.facility == id), "the golden files are about one facility");
    let until = all.iter().map(|fact| fact.received_at).max().unwrap() + TimeDelta::days(30);
    let history = timeline(id, None, &all, &rules, &calendar, TimelineSpan { settled: until, earlier: None, until });
    let last = &history.entries.last().expect("the history has entries").1;
    assert_eq!((last.intent, last.opt_out, last.listing), ("do_not_want", "planned", "listed"), "{last:?}");
}
