//! The table of bounded lists: the test overfills each of them and compares the status with the one before.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use yomitori_facility::{BOUNDS, Calendar, Facility, Rules, StoredJson as _, status};
use yomitori_proto::event::Recorded;
use yomitori_proto::id::FacilityId;

const FACILITY: &str = "00000000-0000-4000-8000-0000000000f1";
const TERMINAL: &str = "00000000-0000-4000-8000-0000000000a1";

fn at(seconds: i64) -> String {
    let first: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().expect("an instant");
    (first + Duration::seconds(seconds)).to_rfc3339()
}

/// Facts of one facility, each a minute after the previous one.
struct Story {
    facts: Vec<Recorded>,
    seconds: i64,
    seq: u64,
    life: u64,
}

impl Story {
    fn push(&mut self, origin: &Value, event: &Value) {
        let at = at(self.seconds);
        let fact = json!({ "facility": FACILITY, "received_at": at, "origin": origin, "event": event });
        self.facts.push(Recorded::from_json(&fact.to_string()).expect("a fact of the documented format"));
        self.seconds += 60;
    }

    fn person(&mut self, event: &Value) {
        self.push(&json!({ "person": { "by": "Sato", "stated_at": at(self.seconds) } }), event);
    }

    fn terminal(&mut self, event: &Value) {
        self.seq += 1;
        let (at, life) = (at(self.seconds), format!("00000000-0000-4000-8000-{:012x}", self.life));
        let observed = json!({ "terminal": TERMINAL, "life": life, "seq": self.seq,
            "occurred_at": at, "observed_at": at, "sent_at": at });
        self.push(&json!({ "terminal": observed }), event);
    }

    fn reader(&mut self, reader: u64, role: &str) {
        self.terminal(&json!({ "reader_attached": { "reader": format!("{reader:016x}"), "role": role } }));
    }

    fn tap(&mut self) {
        self.terminal(&json!({ "tap_observed": { "reader": "0000000000000001", "in_use": true, "present_ms": 1500 } }));
    }

    /// A result file ten seconds after the last fact.
    fn file(&mut self) {
        self.seconds -= 50;
        self.terminal(&json!({ "linkage_result_observed": { "kind": "face_result", "file_at": at(self.seconds) } }));
    }

    fn list(&mut self, number: u64, code: &str) {
        let snapshot = format!("00000000-0000-4000-8000-{number:012x}");
        let origin = json!({ "list": { "snapshot": snapshot, "stated_at": at(self.seconds) } });
        let as_of = at(if code == "1319999015" { self.seconds } else { 0 });
        let observed = json!({ "as_of": as_of, "coverage": "full", "listed": true, "code": code });
        self.push(&origin, &json!({ "listing_observed": observed }));
    }

    /// Adds one more entry to a list of the table.
    fn one_more(&mut self, list: &str, number: u64) {
        let now = at(self.seconds);
        let later = at(self.seconds + 86_400);
        let session = format!("00000000-0000-4000-8000-{number:012x}");
        match list {
            "taps of a terminal" => {
                self.seconds += 7200;
                self.tap();
                self.file();
            }
            "result files of a terminal" => {
                self.seconds += 1800;
                self.file();
            }
            "steps of a terminal's clock" => self.terminal(&json!({ "clock_stepped": { "delta_ms": 5000 } })),
            "entries of a desk" => {
                self.seconds += 7200;
                self.terminal(&json!({ "fallback_used": { "used_at": now, "fallback": "SavedPdf" } }));
            }
            "kinds of fallbacks and causes of a desk" => {
                self.seconds += 7200;
                self.terminal(&json!({ "fallback_used": { "used_at": now, "fallback": format!("Kind{number}") } }));
            }
            "notices and restarts of a desk" => {
                self.terminal(&json!({ "notice_hung": { "hung_at": now, "notice": "supported_sticker" } }));
            }
            "withdrawals that came before their entry" => {
                let life = "00000000-0000-4000-8000-00000000b001";
                self.terminal(&json!({ "entry_withdrawn": { "life": life, "seq": 100_000 + number } }));
            }
            "states of a reader or a program" => self.reader(1, "phone"),
            "roles that people gave a reader" => {
                let role = if number.is_multiple_of(2) { "phone" } else { "other" };
                let reader = json!({ "terminal": TERMINAL, "reader": "0000000000000002", "role": role });
                self.person(&json!({ "reader_role_assigned": reader }));
            }
            "readers of a terminal" => self.reader(1000 + number, "other"),
            "lives of a terminal" => {
                (self.life, self.seq) = (0xb100 + number, 0);
                self.reader(1, "phone");
            }
            "holes in a life" => {
                self.seq += 1;
                self.reader(1, "phone");
            }
            "digests of the newest observations of a life" => self.reader(1, "phone"),
            "ended sessions of a terminal" => {
                let origin = json!({ "server": { "instance": session, "stated_at": now } });
                let ended = json!({ "terminal": TERMINAL, "session": session });
                self.push(&origin, &json!({ "terminal_disconnected": ended }));
            }
            "corrections of evidence" => {
                self.seconds += 7200;
                self.tap();
                self.file();
                let now = at(self.seconds - 60);
                self.terminal(&json!({ "fallback_used": { "used_at": now, "fallback": "PhysicalCard" } }));
            }
            "gaps of a terminal" => {
                self.terminal(&json!({ "collection_gap": { "source": "pcsc", "from": now, "to": later } }));
            }
            "restarts of a terminal" => self.terminal(&json!({ "terminal_rebooted": {} })),
            "enrolments and retirements of a terminal" => {
                self.person(&json!({ "terminal_enrolled": { "terminal": TERMINAL } }));
            }
            "windows of maintenance" => self.person(&json!({ "maintenance_window_set": { "from": now, "to": later } })),
            "closures of the facility" => {
                self.person(&json!({ "closure_set": { "from": now, "to": later, "closes": "clinics" } }));
            }
            "withdrawn statements" => self.person(&json!({ "statement_withdrawn": { "statement": session } })),
            "statements of one thing, such as of the face reader" => {
                self.person(&json!({ "reader_purchased": { "item": "reader", "route": "own" } }));
            }
            "digests of statements" => self.person(&json!({ "reception_arranged": { "arranged_at": now } })),
            "statements of intent" => self.person(&json!({ "listing_intent_set": { "intent": "do_not_want" } })),
            "acts of an opt-out" => self.person(&json!({ "opt_out_call_made": { "called_at": now } })),
            "snapshots of the ministry's list" => self.list(number, "1319999015"),
            "codes of one facility in one snapshot" => self.list(1, &format!("13{number:08}")),
            "institution codes of a facility" => {
                let code = format!("13{number:08}");
                self.person(&json!({ "facility_code_changed": { "new": code, "effective_at": now } }));
                self.person(&json!({ "facility_code_changed": { "old": code, "effective_at": at(self.seconds) } }));
            }
            "withdrawn institution codes of a facility" => {
                let code = format!("13{number:08}");
                let origin = json!({ "person": { "by": "Sato", "stated_at": now, "id": session } });
                self.push(&origin, &json!({ "facility_code_changed": { "new": code, "effective_at": now } }));
                self.person(&json!({ "statement_withdrawn": { "statement": session } }));
            }
            "registrations and changes of codes of a facility" => {
                self.person(&json!({ "facility_code_changed": { "new": "1319999015", "effective_at": now } }));
            }
            "prefectures of a facility" => {
                let prefecture = if number.is_multiple_of(2) { "13" } else { "26" };
                self.person(&json!({ "facility_registered": { "name": "x", "prefecture": prefecture, "codes": [] } }));
            }
            other => panic!("no test overfills `{other}`"),
        }
    }
}

/// The values that no forgotten entry may change.
fn shown(story: &Story) -> Value {
    let rules = Rules::bundled();
    let mut facility = Facility::new(FACILITY.parse().map(FacilityId).expect("an id"));
    story.facts.iter().for_each(|recorded| facility.apply(recorded, &rules));
    let size = facility.to_json().expect("a state is JSON").len();
    assert!(size <= 64 * 1024, "{size} bytes");
    let now = at(story.seconds + 600).parse().expect("an instant");
    let status = status(&facility, &rules, &Calendar::bundled(), now).to_json().expect("a status is JSON");
    let status: Value = serde_json::from_str(&status).expect("JSON");
    json!({
        "first": status["evidence"]["first_success_at"],
        "count": status["evidence"]["count"],
        "eligible": status["eligible"]["key"],
        "code": status["codes"][0]["code"],
        "bought": status["purchases"][0]["item"],
    })
}

#[test]
fn every_list_of_the_table_may_overflow() {
    for bound in BOUNDS {
        let mut story = Story { facts: Vec::new(), seconds: 0, seq: 0, life: 0xb001 };
        let code = json!({ "name": "さくら医院", "prefecture": "13", "codes": ["1319999015"] });
        story.person(&json!({ "facility_registered": code }));
        story.person(&json!({ "reader_purchased": { "item": "reader" } }));
        story.person(&json!({ "listing_intent_set": { "intent": "do_not_want" } }));
        story.reader(1, "phone");
        story.tap();
        story.file();
        story.seconds += 7200;
        let before = shown(&story);
        assert_eq!((&before["count"], &before["eligible"]), (&json!(1), &json!("eligible")), "{}", bound.list);
        let reads = ["taps of a terminal"];
        for number in 0..2 * bound.most as u64 + 5 {
            story.one_more(bound.list, number);
        }
        let mut after = shown(&story);
        if reads.contains(&bound.list) {
            assert_eq!(after["count"], json!(1 + 2 * bound.most + 5), "{}", bound.list);
            after["count"] = json!(1);
        }
        assert_eq!(after, before, "{}: {}", bound.list, bound.why);
    }
}
