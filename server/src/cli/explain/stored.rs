//! `explain CODE`: explains the facts that the projector has read from the log.

use yomitori_facility::explain as explain_facts;
use yomitori_proto::event::{Event, Origin, Recorded, Speaker, Stated};

use super::{ExplainArguments, show};
use crate::cli::Context;
use crate::clock;
use crate::store::fact::{self, StoredFact};
use crate::store::policy;

pub(super) async fn explain(context: &Context, code: &str, asked: &ExplainArguments) -> anyhow::Result<()> {
    let facility = context.facility(code).await?;
    let (rules, calendar) = (asked.policy.rules()?, asked.policy.calendar()?);
    let mut own = Vec::new();
    fact::each(&context.store, &[facility], |stored| own.push(stored)).await?;
    let mut fleet = policy::statements(&context.store).await?;
    if asked.policy.rules.is_some() {
        fleet.retain(|stored| !matches!(stored.recorded.event, Event::RulesAdopted(_)));
    }
    let facts = merged(fleet, own);
    let places: Vec<String> = facts.iter().map(place).collect();
    let facts: Vec<Recorded> = facts.into_iter().map(|stored| stored.recorded).collect();
    let at = asked.at.unwrap_or_else(clock::now);
    let explained = explain_facts(&facts, &rules, &calendar, at);
    show::explained(&explained, at, asked.format.format, |number| places.get(number).cloned());
    Ok(())
}

/// The identifier by which a fact is withdrawn: an entry of the desk page or a person's statement; else its position in
/// the log.
fn place(StoredFact { position, index_in_record: place, recorded }: &StoredFact) -> String {
    match (&recorded.origin, recorded.event.speaker()) {
        (Origin::Terminal(observed), Speaker::Anyone) => format!("{}/{}", observed.life, observed.seq),
        (Origin::Person(Stated { id: Some(id), .. }), _) => id.to_string(),
        _ => format!("{}:{}:{place}", position.partition, position.offset),
    }
}

/// Merges the facts of the fleet and of the facility by the time of receipt. Each list keeps its order.
fn merged(fleet: Vec<StoredFact>, own: Vec<StoredFact>) -> Vec<StoredFact> {
    let mut facts = Vec::with_capacity(fleet.len() + own.len());
    let mut fleet = fleet.into_iter().peekable();
    for stored in own {
        let until = stored.recorded.received_at;
        while let Some(fact) = fleet.next_if(|fact| fact.recorded.received_at <= until) {
            facts.push(fact);
        }
        facts.push(stored);
    }
    facts.extend(fleet);
    facts
}
