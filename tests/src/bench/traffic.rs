//! The input of the benches: a clinic's day, and the log of many clinics.

use anyhow::{Context, Result};
use chrono::TimeDelta;
use uuid::Uuid;
use yomitori_facility::{EXAMPLE, StoredJson as _};
use yomitori_proto::event::{Event, LogBody, LogRecord, Observation, Origin, Recorded};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};
use yomitori_proto::vocabulary::Medium;

/// Observations in one record of a terminal with a backlog.
pub const BATCH: usize = 50;
/// One of this number of results at a clinic's desk is a phone's; the others are cards'.
const A_PHONE_IN: u64 = 60;
const A_FILE_IN: u64 = 3;

/// The facts of the fold's example: every kind of event at least once.
///
/// # Errors
/// If the example is invalid.
pub fn example() -> Result<Vec<Recorded>> {
    EXAMPLE.lines().map(Recorded::from_json).collect::<Result<_, _>>().context("read the example")
}

/// `events` observations that continue after the last one of the example's terminal.
///
/// # Errors
/// If the example lacks a tap, a result file or a terminal.
pub fn day(example: &[Recorded], events: u64) -> Result<Vec<Recorded>> {
    let of_kind = |kind: &str| example.iter().find(|recorded| recorded.event.kind() == kind).cloned();
    let tap = of_kind("tap_observed").context("a tap in the example")?;
    let file = of_kind("linkage_result_observed").context("a result file in the example")?;
    let seqs = example.iter().filter_map(Recorded::observed).map(|observed| observed.seq.0);
    let last = seqs.max().context("a terminal in the example")?;
    let facts = (1..=events).map(|number| {
        let mut recorded = if number % A_FILE_IN == 0 { file.clone() } else { tap.clone() };
        let after = TimeDelta::seconds(i64::try_from(number).unwrap_or_default() * 20);
        if let Origin::Terminal(observed) = &mut recorded.origin {
            observed.seq = Seq(last + number);
            for instant in [&mut observed.occurred_at, &mut observed.observed_at, &mut observed.sent_at] {
                *instant += after;
            }
        }
        recorded.received_at += after;
        let at = recorded.occurred_at();
        match &mut recorded.event {
            Event::LinkageResultObserved(event) => event.file_at = Some(at),
            Event::TapObserved(event) if number % A_PHONE_IN != 0 => event.medium = Medium::MyNumberCard,
            _ => {}
        }
        recorded
    });
    Ok(facts.collect())
}

/// `recorded` as a fact of facility `number`. Values differ between facilities as much as in reality, so that
/// compression and caches gain nothing from copies. The result depends only on the arguments.
#[must_use]
pub fn varied(mut recorded: Recorded, number: u64) -> Recorded {
    let Origin::Terminal(observed) = &mut recorded.origin else { return recorded };
    let mut chance = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ observed.seq.0.wrapping_mul(0xD1B5_4A32_D192_ED03);
    chance = (chance ^ (chance >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    chance ^= chance >> 32;
    let mut draw = |below: u64| {
        let drawn = chance % below;
        chance /= below;
        drawn
    };
    // Less than a second, so that the order stays.
    let after = TimeDelta::microseconds(draw(500_000).cast_signed());
    let noticed = after + TimeDelta::microseconds(draw(400_000).cast_signed());
    observed.occurred_at += after;
    observed.observed_at += noticed;
    let lasted = u32::try_from(draw(3000)).unwrap_or_default();
    match &mut recorded.event {
        Event::TapObserved(event) => event.present_ms = 500 + lasted,
        Event::LinkageResultObserved(event) => {
            event.file_at = event.file_at.map(|at| at + after);
            event.seen_for_ms = 100 + lasted;
        }
        _ => {}
    }
    recorded
}

/// The records of one terminal's `facts` in the log of facility `number`. The identifiers depend only on the number.
#[must_use]
pub fn records(facts: &[Recorded], number: u64, batch: usize) -> Vec<LogRecord> {
    let id = |what: u128| Uuid::from_u128(what << 64 | u128::from(number));
    let (facility, terminal, life) = (FacilityId(id(1)), TerminalId(id(2)), Life(id(3)));
    let observation = |recorded: &Recorded| {
        let recorded = varied(recorded.clone(), number);
        let observed = recorded.observed()?;
        let (seq, occurred_at, observed_at) = (observed.seq, observed.occurred_at, observed.observed_at);
        Some(Observation { seq, occurred_at, observed_at, event: recorded.event })
    };
    let record = |facts: &[Recorded]| {
        let last = facts.last()?;
        let (received_at, sent_at) = (last.received_at, last.observed()?.sent_at);
        let observations = facts.iter().filter_map(observation).collect();
        Some(LogRecord { facility, received_at, body: LogBody::Terminal { terminal, life, sent_at, observations } })
    };
    facts.chunks(batch.max(1)).filter_map(record).collect()
}

/// The records of `facilities` that all have the same day, interleaved part by part.
pub fn side_by_side(day: &[Recorded], facilities: u64, batch: usize) -> impl Iterator<Item = LogRecord> + '_ {
    let parts = day.chunks(batch.max(1));
    parts.flat_map(move |part| (0..facilities).flat_map(move |number| records(part, number, batch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_live_the_same_day_each_in_its_own_way() {
        let day = day(&example().unwrap(), 100).unwrap();
        let of = |number| day.iter().map(|recorded| varied(recorded.clone(), number)).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        for (one, other) in of(1).iter().zip(of(2)) {
            assert_ne!(one.occurred_at(), other.occurred_at());
            assert_eq!(
                (one.event.kind(), one.observed().map(|o| o.seq)),
                (other.event.kind(), other.observed().map(|o| o.seq))
            );
            let observed = one.observed().unwrap();
            assert!(observed.occurred_at <= observed.observed_at, "{observed:?}");
        }
        assert!(of(3).is_sorted_by_key(Recorded::occurred_at));
    }
}
