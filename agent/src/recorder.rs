//! Brings what the sources tell into the spool: one transaction for all that is waiting.

use std::sync::mpsc::Receiver;

use tokio::sync::watch;
use yomitori_proto::id::Seq;

use crate::outlet::Signal;
use crate::spool::{Spool, SpoolError};
use crate::{crash, telemetry};

/// So many signals may wait for the disk; then the sources do.
pub const QUEUE: usize = 1_024;
/// So many go into one transaction.
const BATCH: usize = 512;

/// Records until every outlet of `signals` is gone, or until nothing more can be kept: then the agent has to end too,
/// rather than to pretend. Blocks.
pub fn record(spool: &Spool, signals: &Receiver<Signal>, kept: &watch::Sender<Seq>) -> Result<(), SpoolError> {
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
            // It is counted, and who entered something sees that it wasn't kept.
            Err(error) if error.is_full() => {
                telemetry::disk_full(sightings.len());
                continue;
            }
            Err(error) => return Err(error),
        };
        crash::journal_stored(spool.life(), before, last);
        crash::point("after-kept");
        telemetry::observations_stored(&sightings, before, last);
        kept.send_replace(last);
        for (place, receipt) in receipts {
            // Who entered it may have gone; it is kept all the same.
            let _ = receipt.send(Seq(before.0 + place));
        }
    }
    Ok(())
}
