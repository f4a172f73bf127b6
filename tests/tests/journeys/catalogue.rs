//! Tables that exist both at the terminal and at the server: they must use the same identifiers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use yomitori_agent::sources::desk::choices;
use yomitori_facility::{Cause, Fallback};
use yomitori_proto::table;

fn identifiers(file: &str, table: &str, wanted: impl Fn(&toml::Table) -> bool) -> anyhow::Result<BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let document: toml::Table = fs::read_to_string(path)?.parse()?;
    let rows =
        document.get(table).and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_table);
    Ok(rows.filter(|row| wanted(row)).filter_map(|row| Some(row.get("id")?.as_str()?.to_owned())).collect())
}

#[test]
fn face_readers_have_the_same_names_at_the_terminal_and_at_the_server() -> anyhow::Result<()> {
    let centre = identifiers("server/facility/data/face_readers.toml", "model", |_| true)?;
    let clinic = identifiers("agent/observation/catalogue.toml", "reader", |row| row.contains_key("phone_native"))?;
    assert!(!centre.is_empty());
    assert_eq!(clinic, centre);
    Ok(())
}

#[test]
fn the_contract_accepts_the_words_of_the_tables() -> anyhow::Result<()> {
    let words = |table: &[&str]| table.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let causes = identifiers("server/facility/data/causes.toml", "cause", |_| true)?;
    assert_eq!(words(table::CAUSES), causes);
    assert!(causes.contains(table::OTHER_CAUSE));
    let fallbacks = identifiers("server/facility/data/fallbacks.toml", "fallback", |_| true)?;
    assert_eq!(words(table::FALLBACKS), fallbacks);
    assert!(fallbacks.contains(table::OTHER_FALLBACK));
    // Models that were renamed stay in the contract, because statements name them.
    let models = identifiers("agent/observation/catalogue.toml", "reader", |_| true)?;
    let former: BTreeSet<_> = words(table::READER_MODELS).difference(&models).cloned().collect();
    assert_eq!(former, words(&["almex-mynatouch", "panasonic-xc-stfr1j-mn"]));
    assert!(models.is_subset(&words(table::READER_MODELS)));
    assert!(!table::READER_MODELS.contains(&table::OTHER_MODEL));
    Ok(())
}

#[test]
fn the_desk_offers_every_cause_and_every_fallback_of_the_server() {
    let ids = |ids: &mut dyn Iterator<Item = &'static str>| ids.collect::<BTreeSet<_>>();
    let causes = ids(&mut choices::causes().map(|choice| choice.id));
    assert_eq!(causes, ids(&mut Cause::all().iter().map(|cause| cause.id.as_str())));
    assert_eq!(choices::causes().count(), causes.len(), "one is offered twice");
    let fallbacks: Vec<_> = choices::fallbacks().map(|choice| choice.id).collect();
    let known: Vec<_> = Fallback::all().iter().map(|fallback| fallback.id.as_str()).collect();
    assert_eq!(fallbacks, known, "in the order of the notice");
}
