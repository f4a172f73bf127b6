//! The commands of a page under `deploy/docs`, as a test can run them.

use std::fs;

use anyhow::{Context, Result, ensure};
use yomitori_tests::world::services::root;

/// The blocks of commands in a section of a page, in their order.
pub(crate) fn blocks(page: &str, section: &str) -> Result<Vec<String>> {
    let path = root().join("deploy/docs").join(page);
    let text = fs::read_to_string(&path).with_context(|| format!("read {path:?}"))?;
    let mut within = false;
    let mut block: Option<String> = None;
    let mut blocks = Vec::new();
    for line in text.lines() {
        match (line.trim_start(), block.as_mut()) {
            ("```", Some(_)) => blocks.extend(block.take()),
            (_, Some(block)) => *block += &format!("{line}\n"),
            ("```sh" | "```sql", None) if within => block = Some(String::new()),
            (line, None) if line.starts_with("## ") => within = line.trim_start_matches("## ") == section,
            _ => {}
        }
    }
    ensure!(!blocks.is_empty(), "{page} has no commands under \"{section}\"");
    Ok(blocks)
}

/// The only block of a section.
pub(crate) fn block(page: &str, section: &str) -> Result<String> {
    let mut blocks = blocks(page, section)?;
    ensure!(blocks.len() == 1, "{page} has {} blocks of commands under \"{section}\"", blocks.len());
    blocks.pop().context("a block")
}

/// The lines of a block from the one that begins with `first` to the one that begins with `last`.
pub(crate) fn part(block: &str, first: &str, last: &str) -> Result<String> {
    let lines: Vec<&str> = block.lines().map(str::trim).collect();
    let at = |start: &str| {
        lines.iter().position(|line| line.starts_with(start)).with_context(|| format!("`{start}` in\n{block}"))
    };
    let (from, to) = (at(first)?, at(last)?);
    Ok(lines.get(from..=to).with_context(|| format!("`{first}` before `{last}`"))?.join("\n"))
}

/// The commands with the paths of the page replaced by those in the test's own folder, which `$WORLD` names.
///
/// Nothing else of this machine may be touched: the pages say `rm -rf` and `tar -C /`, and tests may run as root.
pub(crate) fn in_folder(commands: &str) -> Result<String> {
    let mut commands = commands.to_owned();
    for (page, test) in [
        ("tar -C / ", r#"tar -C "$WORLD" "#),
        (" var/lib/yomitori-server ", " authority "),
        (" etc/yomitori ", r#" "${CONFIG#"$WORLD/"}" "#),
        (" etc/kafka", " kafka/server.properties"),
        ("/var/lib/yomitori-server", r#""$WORLD"/authority"#),
        ("/var/lib/kafka", r#""$WORLD"/kafka"#),
        ("/var/backups/yomitori", r#""$WORLD"/backup"#),
    ] {
        commands = commands.replace(page, test);
    }
    let outside = commands.split_whitespace().find(|word| word.starts_with('/') || word.contains(">/"));
    ensure!(outside.is_none(), "{outside:?} is not in the test's folder: teach `in_folder` where it is");
    Ok(commands)
}
