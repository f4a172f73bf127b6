//! A status history that is continued from a checkpoint equals the one that is computed from all facts, and what is known
//! only later changes nothing of before.

use chrono::TimeDelta;
use yomitori_facility::{StatusWords, TimelineHead, TimelineSpan, look, takes_back, timeline, valid_from};

use super::*;

/// The history of the first facts with a checkpoint `back` before the rest, then continued with all facts after that
/// checkpoint; and the history of all facts at once.
struct Continued {
    facts: Vec<Recorded>,
    known: usize,
    back: TimeDelta,
}

impl Continued {
    /// Where the server takes the history up again: before everything that is not yet known.
    fn checkpoint(&self) -> Option<DateTime<Utc>> {
        let rest = &self.facts[self.known..];
        let first = rest.iter().map(valid_from).min()?;
        (!rest.iter().any(takes_back)).then(|| first - TimeDelta::milliseconds(1) - self.back)
    }

    fn check(&self, is_earlier: bool) -> Result<(), TestCaseError> {
        let Some(checkpoint) = self.checkpoint() else { return Ok(()) };
        let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
        let until = self.facts.iter().map(|fact| fact.received_at).max().unwrap_or_else(end) + TimeDelta::days(3);
        let compute = |head: Option<TimelineHead>, facts: &[Recorded], span| {
            timeline(FACILITY, head, facts, &rules, &calendar, span)
        };
        let whole = compute(None, &self.facts, TimelineSpan { settled: until, earlier: None, until });

        let known = &self.facts[..self.known];
        let span = if is_earlier {
            TimelineSpan { settled: until, earlier: Some(checkpoint), until }
        } else {
            TimelineSpan { settled: checkpoint, earlier: None, until: until.min(checkpoint + TimeDelta::hours(1)) }
        };
        let before = compute(None, known, span);
        let head = if is_earlier { before.earlier } else { Some(before.head) };
        let through = head.as_ref().map(|head| head.through);
        let since: Vec<Recorded> = self
            .facts
            .iter()
            .filter(|fact| through.is_none_or(|through| fact.occurred_at() > through))
            .cloned()
            .collect();
        let after = compute(head, &since, TimelineSpan { settled: until, earlier: None, until });
        let kept = before.entries.into_iter().filter(|(from, _)| through.is_some_and(|through| *from <= through));
        let history: Vec<_> = kept.chain(after.entries).collect();
        let first = history.iter().zip(&whole.entries).find(|(one, other)| one != other);
        prop_assert_eq!(first, None, "from {:?}", through);
        prop_assert_eq!(history.len(), whole.entries.len());
        let last = |head: &TimelineHead| look(&head.facility, &rules, &calendar, until);
        prop_assert_eq!(last(&after.head), last(&whole.head));
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Also from a checkpoint before everything, which a withdrawal or a statement about long ago leaves.
    #[test]
    fn a_continued_history_is_the_whole_one(
        history in history(),
        known in any::<Index>(),
        back_s in prop_oneof![Just(0_i64), 0_i64..7200, 0_i64..40_000_000, Just(3_000_000_000)],
        is_earlier in any::<bool>(),
    ) {
        let facts = history.facts();
        let known = known.index(facts.len() + 1);
        Continued { facts, known, back: TimeDelta::seconds(back_s) }.check(is_earlier)?;
    }

    /// What is about a later time is not in the history before.
    #[test]
    fn the_status_at_an_instant_follows_from_the_facts_until_then(mut history in history()) {
        for sights in [&mut history.one, &mut history.two] {
            sights.retain(|(_, sight)| !matches!(sight, Sight::Withdrawn(_) | Sight::ClockStepped { .. }));
            for (_, sight) in sights {
                if let Sight::File { found_after_s, .. } = sight {
                    *found_after_s = 0;
                }
            }
        }
        let (registrations, mut facts): (Vec<_>, Vec<_>) = history.facts().into_iter().partition(takes_back);
        prop_assume!(registrations.first().is_some_and(is_registration));
        facts.sort_by_key(valid_from);
        facts.insert(0, registrations[0].clone());

        let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
        let until = facts.iter().map(|fact| fact.received_at).max().unwrap_or_else(end) + TimeDelta::days(3);
        let span = TimelineSpan { settled: until, earlier: None, until };
        let history = timeline(FACILITY, None, &facts, &rules, &calendar, span).entries;
        let mut facility = Facility::new(FACILITY);
        facility.apply(&facts[0], &rules);
        for (place, fact) in facts.iter().enumerate().skip(1) {
            facility.apply(fact, &rules);
            let at = valid_from(fact);
            if facts.get(place + 1).is_none_or(|next| valid_from(next) > at) {
                let (shown, _) = look(&facility, &rules, &calendar, at);
                let was = history.iter().rev().find(|(from, _)| *from <= at).map(|(_, words)| words.clone());
                // A number that arrives later leaves a hole in what was shown, and none in the history.
                prop_assert_eq!(was.map(without_holes), Some(without_holes(shown)), "at {}", at);
            }
        }
    }
}

fn is_registration(fact: &Recorded) -> bool {
    matches!(fact.event, Event::FacilityRegistered(_))
}

fn without_holes(mut words: StatusWords) -> StatusWords {
    words.flags.retain(|flag| *flag != "collection_incomplete");
    if words.freshness == "gap" {
        words.freshness = "fresh";
    }
    words
}
