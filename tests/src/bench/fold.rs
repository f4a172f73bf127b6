//! The speed of the fold on one core, next to plain iteration over the events.
//!
//! The bench measures processor time of this thread, so the load of the machine has little influence.

use std::hint::black_box;

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use yomitori_facility::{Facility, Rules};
use yomitori_proto::event::Recorded;
use yomitori_proto::id::FacilityId;

use super::figures::{Bar, Figure, Report};
use super::traffic;

const PROMISED: f64 = 2e6;

/// Folds `per_facility` events of each of `facilities` facilities, in the order of a log, and reports the rates.
///
/// # Errors
/// If the example of the fold is invalid.
pub fn measure(facilities: usize, per_facility: u64, report: &Report) -> Result<()> {
    let rules = Rules::bundled();
    let example = traffic::example()?;
    let introduced: Vec<Facility> = (0..facilities)
        .map(|_| {
            let id = FacilityId(uuid::Uuid::new_v4());
            let mut facility = Facility::new(id);
            for recorded in &example {
                facility.apply(&Recorded { facility: id, ..recorded.clone() }, &rules);
            }
            facility
        })
        .collect();
    let day = traffic::day(&example, per_facility)?;
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let events = (facilities as u64 * per_facility) as f64;

    let mut ceiling = f64::MAX;
    let (mut fresh, mut again) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let mut folded = introduced.clone();
        let ids: Vec<FacilityId> = folded.iter().map(|facility| facility.id).collect();
        let mut log = day.clone();
        let mut pass = |work: &mut dyn FnMut(usize, &Recorded)| {
            let mut took = 0.0;
            // Batches of the facilities in turn, like in a partition.
            for batch in log.chunks_mut(traffic::BATCH) {
                for (number, id) in ids.iter().enumerate() {
                    batch.iter_mut().for_each(|recorded| recorded.facility = *id);
                    let began = seconds();
                    batch.iter().for_each(|recorded| work(number, recorded));
                    took += seconds() - began;
                }
            }
            took
        };
        ceiling = ceiling.min(pass(&mut |number, recorded| {
            black_box((number, recorded.event.kind().len(), recorded.occurred_at()));
        }));
        fresh = fresh.min(pass(&mut |number, recorded| folded[number].apply(recorded, &rules)));
        again = again.min(pass(&mut |number, recorded| folded[number].apply(recorded, &rules)));
        black_box(&folded);
    }
    let rates = [ceiling, fresh, again].map(|took| events / took);
    let figure = |what, rate| Figure::new(what, rate, "events/s").beside("looked at only", rates[0]);
    report.add(figure("fold, one core", rates[1]).promised(Bar::AtLeast(PROMISED)));
    report.add(figure("fold of what was there already, one core", rates[2]));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a duration")]
fn seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
