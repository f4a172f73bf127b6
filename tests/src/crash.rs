//! What the programs `crashing-agent` and `crashing-server` do at the points of the released ones: they are the same
//! libraries, with handlers.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use yomitori_proto::id::{Life, Seq};

/// With `YOMITORI_CRASH=name:n`, kills this process at the n-th passage of the point `name`. With
/// `YOMITORI_KEPT_JOURNAL=path`, an agent lists the observations that the oracle expects to arrive.
pub fn prepare() {
    yomitori_base::crash::on_point(at_point);
    yomitori_agent::crash::on_stored(stored);
}

/// As at a power cut, no destructor runs.
fn at_point(name: &str) {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("YOMITORI_CRASH") else { return };
    let Some((at, count)) = wanted.split_once(':') else { return };
    if at != name || Some(PASSED.fetch_add(1, Ordering::SeqCst) + 1) != count.parse().ok() {
        return;
    }
    let pid = std::process::id().to_string();
    let killed = Command::new("kill").args(["-9", &pid]).status();
    panic!("kill -9 left the process alive: {killed:?}");
}

fn stored(life: Life, after: Seq, through: Seq) {
    let Some(path) = std::env::var_os("YOMITORI_KEPT_JOURNAL") else { return };
    let lines: String = (after.0 + 1..=through.0).map(|seq| format!("{life} {seq}\n")).collect();
    let journal = OpenOptions::new().create(true).append(true).open(path);
    let written = journal.and_then(|mut journal| journal.write_all(lines.as_bytes()));
    written.expect("the journal of a crash test can be written");
}
