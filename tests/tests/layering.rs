//! The structure of the tree: the permitted dependencies of each crate and module, and the rules for every file.

#[path = "layering/source.rs"]
mod source;
#[path = "layering/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use source::{Source, sources};
use yomitori_tests::world::services::root;

/// Crates without input, output, clock or chance.
const PURE: [&str; 4] = ["yomitori-proto", "yomitori-observation", "yomitori-facility", "yomitori-listing"];

/// What a crate of the workspace may use of the others, in what ships.
const CRATES: [(&str, &[&str]); 11] = [
    ("yomitori-base", &[]),
    ("yomitori-proto", &[]),
    ("yomitori-arbitrary", &["yomitori-proto"]),
    ("yomitori-observation", &["yomitori-proto"]),
    ("yomitori-facility", &["yomitori-proto"]),
    ("yomitori-listing", &["yomitori-proto", "yomitori-facility"]),
    ("yomitori-agent", &["yomitori-base", "yomitori-proto", "yomitori-observation"]),
    ("yomitori-server", &["yomitori-base", "yomitori-proto", "yomitori-facility", "yomitori-listing"]),
    (
        "yomitori-simulation",
        &["yomitori-proto", "yomitori-observation", "yomitori-facility", "yomitori-agent", "yomitori-server"],
    ),
    (
        "yomitori-fuzzing",
        &[
            "yomitori-proto",
            "yomitori-observation",
            "yomitori-facility",
            "yomitori-listing",
            "yomitori-agent",
            "yomitori-server",
        ],
    ),
    (
        "yomitori-tests",
        &[
            "yomitori-base",
            "yomitori-proto",
            "yomitori-arbitrary",
            "yomitori-observation",
            "yomitori-facility",
            "yomitori-agent",
            "yomitori-server",
            "yomitori-simulation",
        ],
    ),
];

/// Crates with input or output; none may be a dependency of a pure one.
const IMPURE: [&str; 18] = [
    "axum",
    "hyper",
    "inotify",
    "mio",
    "notify",
    "pcsc",
    "rcgen",
    "rdkafka",
    "redb",
    "reqwest",
    "rustls",
    "socket2",
    "tokio",
    "tokio-postgres",
    "tonic",
    "tower",
    "tracing",
    "tracing-subscriber",
];

/// (a module's folder, a module that it must not name, the reason). A longer name permits its siblings.
const MODULES: [(&str, &str, &str); 17] = [
    ("server/src/ingest", "projector", "an entry point only writes to the log"),
    ("server/src/ingest", "web", "an entry point serves agents and operators, not pages"),
    ("server/src/ingest", "alerts", "alerts to people follow from the store"),
    ("server/src/statement", "ingest", "a statement is checked before an entry point accepts it"),
    ("server/src/statement", "web", "what may be stated doesn't depend on who asks"),
    ("server/src/statement", "cli", "what may be stated doesn't depend on who asks"),
    ("server/src/store", "log::kafka", "the store keeps positions in the log, but never connects to it"),
    ("server/src/store", "web", "pages read the store, not the reverse"),
    ("server/src/store", "ingest", "the store is independent of its callers"),
    ("server/src/store", "projector", "the projector writes into the store, not the reverse"),
    ("server/src/web", "log", "pages change things only through `ingest::operator`"),
    ("server/src/web", "projector", "pages read what is committed"),
    ("server/src/web", "ingest::uplink", "pages use only the operator's entry point"),
    ("server/src/web", "ingest::enrol", "pages use only the operator's entry point"),
    ("server/src/projector", "web", "the projector folds and is independent of its readers"),
    ("agent/src/sources", "spool", "a source observes; the recorder keeps"),
    ("agent/src/sources", "uplink", "a source observes; the uplink sends the kept observations"),
];

/// The permitted entries of the root folder.
const TOP: [&str; 18] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".deny.toml",
    ".git",
    ".github",
    ".gitignore",
    ".rustfmt.toml",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "agent",
    "deploy",
    "proto",
    "server",
    "target",
    "tests",
];

const LONGEST: usize = 500;
/// Written by a test; their length depends on the contents.
const STORIES: &str = "server/facility/tests/facility/stories/";

#[test]
fn crates_know_only_those_below_them() -> Result<()> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])?)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    ensure!(packages.len() == CRATES.len(), "a crate was added or removed: update CRATES above");
    for package in packages {
        let name = package["name"].as_str().context("a name")?;
        let (_, allowed) = CRATES.iter().find(|(known, _)| *known == name).context("an unknown crate")?;
        for dependency in package["dependencies"].as_array().context("dependencies")? {
            let used = dependency["name"].as_str().context("a name")?;
            let shipped = dependency["kind"].is_null();
            let ours = CRATES.iter().any(|(known, _)| *known == used);
            ensure!(!shipped || !ours || allowed.contains(&used), "{name} may not use {used}");
        }
    }
    Ok(())
}

#[test]
fn pure_crates_touch_nothing() -> Result<()> {
    for pure in PURE {
        let below = tree(&["--package", pure, "--edges", "normal"])?;
        let impure: Vec<_> = IMPURE.iter().filter(|name| below.contains(**name)).collect();
        ensure!(impure.is_empty(), "{pure} depends on {impure:?}");
    }
    Ok(())
}

#[test]
fn there_is_one_crypto_provider() -> Result<()> {
    let all = tree(&["--workspace", "--target", "all", "--edges", "normal,build,dev"])?;
    ensure!(all.contains("ring"), "the tree was not read");
    for other in ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"] {
        ensure!(!all.contains(other), "{other} is a dependency; `cargo tree -i {other} --target all` shows why");
    }
    Ok(())
}

#[test]
fn modules_know_only_those_below_them() -> Result<()> {
    let sources = sources()?;
    let mut wrong = Vec::new();
    for (folder, forbidden, why) in MODULES {
        let mut read = 0;
        for source in sources.iter().filter(|source| source.is_in(folder)) {
            read += 1;
            for named in source.named() {
                if named == forbidden || named.starts_with(&format!("{forbidden}::")) {
                    wrong.push(format!("{}: `{named}`: {why}", source.path));
                }
            }
        }
        ensure!(read > 0 || forbidden == "alerts", "{folder} doesn't exist: update MODULES above");
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The sources of the crates whose files must not import each other in a circle. The fold is excepted: an axis and the view
/// of a facility know each other by design.
const WITHOUT_CIRCLES: [&str; 7] = [
    "agent/observation/src/",
    "agent/src/",
    "proto/src/",
    "server/listing/src/",
    "server/src/",
    "tests/simulation/src/",
    "tests/src/",
];

#[test]
fn no_files_import_each_other_in_a_circle() -> Result<()> {
    let sources = sources()?;
    for root in WITHOUT_CIRCLES {
        let imports = source::imports(&sources, root);
        ensure!(imports.len() > 3, "{root} is gone: WITHOUT_CIRCLES above is the list");
        let circle = source::circle(&imports);
        ensure!(circle.is_empty(), "{root}: these files import each other: {}", circle.join(" → "));
    }
    Ok(())
}

#[test]
fn a_circle_is_found() {
    let import = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let open = BTreeMap::from([import("a", "b"), import("b", "c"), import("d", "b")]);
    assert!(source::circle(&open).is_empty());
    let closed = BTreeMap::from([import("a", "b"), import("b", "c"), import("c", "b")]);
    assert_eq!(source::circle(&closed), ["b", "c", "b"]);
}

/// What only the store may write.
const SQL: [&str; 7] = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "LISTEN ", ".query(&", ".batch_execute("];

#[test]
fn only_the_store_speaks_sql() -> Result<()> {
    let mut wrong = Vec::new();
    for source in sources()?.iter().filter(|source| source.is_in("server/src") && !source.is_in("server/src/store")) {
        for line in source.code().lines() {
            wrong.extend(
                SQL.iter().find(|word| line.contains(**word)).map(|_| format!("{}: {}", source.path, line.trim())),
            );
        }
    }
    ensure!(wrong.is_empty(), "a query belongs to a noun of server/src/store:\n{}", wrong.join("\n"));
    Ok(())
}

/// Public types of one crate that share a name, and why.
const SHARED_NAMES: [(&str, &str, &str); 1] =
    [("server/src/", "Command", "each command of the command line has its subcommands, which clap calls so")];

#[test]
fn no_two_public_types_of_a_crate_share_a_name() -> Result<()> {
    let mut wrong = Vec::new();
    let mut known: BTreeMap<(&str, String), String> = BTreeMap::new();
    let sources = sources()?;
    // The types of the tests are no interface.
    for source in sources.iter().filter(|source| source.path.ends_with(".rs") && !source.path.starts_with("tests/")) {
        let Some(inside) = source.path.find("src/") else { continue };
        let (root, _) = source.path.split_at(inside + "src/".len());
        for name in source.public_types() {
            let may = SHARED_NAMES.iter().any(|(folder, shared, _)| *folder == root && *shared == name);
            let before = known.insert((root, name.clone()), source.path.clone());
            wrong.extend(before.filter(|_| !may).map(|before| format!("{name}: {before} and {}", source.path)));
        }
    }
    ensure!(known.len() > 300, "the types were not read");
    ensure!(wrong.is_empty(), "qualify one of the two:\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn comments_and_texts_are_in_plain_words() -> Result<()> {
    const READ: [&str; 4] = [".rs", ".md", ".proto", ".js"];
    let sources = sources()?;
    let read = sources.iter().filter(|source| READ.iter().any(|end| source.path.ends_with(end)));
    let own = |source: &&Source| source.path == "tests/tests/layering/words.rs";
    let wrong: Vec<String> = read.filter(|source| !own(source)).flat_map(words::refused).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_file_states_its_purpose_and_is_short() -> Result<()> {
    let mut wrong = Vec::new();
    for Source { path, text } in sources()? {
        let first = text.lines().next().unwrap_or_default();
        let head = match Path::new(&path).extension().and_then(|extension| extension.to_str()) {
            Some("rs") => first.starts_with("//!"),
            Some("sql") => first.starts_with("--"),
            Some("proto") => first.starts_with("//"),
            Some("js") => first.starts_with("//") || first.starts_with("/*"),
            Some("css") => first.starts_with("/*"),
            Some("sh" | "toml" | "properties") => first.starts_with('#'),
            _ if first.starts_with("#!") => text.lines().nth(1).is_some_and(|line| line.starts_with("# ")),
            _ => true,
        };
        let lines = text.lines().count();
        if !head && !path.ends_with("/Cargo.toml") && !path.ends_with(".clippy.toml") && path != ".rustfmt.toml" {
            wrong.push(format!("{path} doesn't begin with a statement of its purpose"));
        }
        if lines > LONGEST && !path.starts_with(STORIES) {
            wrong.push(format!("{path} has {lines} lines; {LONGEST} is the limit"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_top_of_the_tree_is_as_designed() -> Result<()> {
    for entry in std::fs::read_dir(root())? {
        let name = entry?.file_name().into_string().ok().context("a readable name")?;
        ensure!(TOP.contains(&name.as_str()), "`{name}` doesn't belong at the top");
    }
    Ok(())
}

/// The packages that `cargo tree` lists.
fn tree(arguments: &[&str]) -> Result<BTreeSet<String>> {
    let listed = cargo(&[&["tree", "--locked", "--offline", "--prefix", "none"], arguments].concat())?;
    Ok(listed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().context("run cargo")?;
    ensure!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn names_are_found_however_they_are_written() {
    let text = "use crate::log;\nuse crate::{store::fact, web};\nuse super::super::uplink::Carry;\n\
                fn f() { crate::ingest::operator::state() }\n#[cfg(test)]\nmod tests { use crate::alerts; }\n";
    let source = Source { path: "server/src/ingest/door.rs".to_owned(), text: text.to_owned() };
    let named: BTreeMap<_, _> = source.named().into_iter().map(|name| (name, ())).collect();
    let named: Vec<_> = named.into_keys().collect();
    assert_eq!(named, ["ingest::operator::state", "log", "store::fact", "uplink::Carry", "web"]);
}
