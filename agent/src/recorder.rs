//! Writes the signals of the sources into the spool, all waiting ones in one transaction.

use std::sync::mpsc::Receiver;

use tokio::sync::watch;
use yomitori_proto::id::Seq;

use crate::outlet::Signal;
use crate::spool::{Spool, SpoolError};
use crate::{crash, telemetry};

/// At most this many signals wait for the disk; beyond that the sources wait.
pub const QUEUE: usize = 1_024;
/// At most this many signals go into one transaction.
const BATCH: usize = 512;

/// Records until every outlet of `signals` is dropped, or until the spool fails: the agent then has to end too, because
/// it would lose what it sees. Blocks.
pub fn record(spool: &Spool, signals: &Receiver<Signal>, kept: &watch::Sender<Seq>) -> Result<(), SpoolError> {
    let mut is_full = false;
    while let Ok(first) = signals.recv() {
        let (mut sightings, mut marks, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
        let mut receipts = Vec::new();
        for signal in std::iter::once(first).chain(signals.try_iter()).take(BATCH) {
            match signal {
                Signal::Seen { sighting, mark } => {
                    sightings.push(sighting);
                    marks.extend(mark);
                }
                Signal::Entered { sighting, kept } => {
                    sightings.push(sighting);
                    receipts.push((sightings.len() as u64, kept));
                }
                Signal::Forgotten(mark) => forgotten.push(mark),
            }
        }
        let before = spool.last();
        let last = match spool.keep(&sightings, &marks, &forgotten) {
            Ok(last) => last,
            // The spool counts the loss, and the desk page shows that an entry was not stored.
            Err(error) if error.is_full() => {
                if !is_full {
                    telemetry::disk_full();
                }
                is_full = true;
                telemetry::observations_lost(sightings.len());
                continue;
            }
            Err(error) => return Err(error),
        };
        if std::mem::take(&mut is_full) {
            telemetry::disk_has_room();
        }
        crash::journal_stored(spool.life(), before, last);
        crash::point("after-kept");
        telemetry::observations_stored(&sightings, before, last);
        kept.send_replace(last);
        for (place, receipt) in receipts {
            // The browser may have disconnected; the entry is stored all the same.
            let _ = receipt.send(Seq(before.0 + place));
        }
    }
    Ok(())
}
