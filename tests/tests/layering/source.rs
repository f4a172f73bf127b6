//! The files of the tree, and the modules that a Rust file names in its own crate.

#![expect(clippy::string_slice, reason = "cut only where ASCII was found")]

use std::path::Path;

use anyhow::{Context, Result};
use yomitori_tests::world::services::root;

/// A text file; its path is relative to the root of the tree.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All source files, except generated files and data.
pub(crate) fn sources() -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    walk(&root(), &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn walk(folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    const NOT_SOURCE: [&str; 6] = [".git", "Cargo.lock", "data", "golden", "proptest-regressions", "target"];
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {folder:?}"))? {
        let path = entry.context("read a folder")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if NOT_SOURCE.contains(&name.as_ref()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, sources)?;
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).context("a path in the tree")?.to_string_lossy().into_owned();
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

impl Source {
    /// Whether it is a Rust file of the module in `folder`: `folder.rs` or a file below `folder/`.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        let rest = self.path.strip_prefix(folder);
        self.path.ends_with(".rs") && rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// The paths in its own crate that it names, from the crate's root. Its tests are exempt.
    pub(crate) fn named(&self) -> Vec<String> {
        if self.path.ends_with("/tests.rs") {
            return Vec::new();
        }
        let code: String = self
            .text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let mut named = Vec::new();
        for (at, _) in code.match_indices("crate::") {
            if !code[..at].ends_with(is_word) {
                expand(&[], &code[at + "crate::".len()..], &mut named);
            }
        }
        for (at, _) in code.match_indices("super::") {
            // A chain is read from its first link.
            if !code[..at].ends_with(is_word) && !code[..at].ends_with("::") {
                let mut module = self.module();
                let mut rest = &code[at..];
                while let Some(further) = rest.strip_prefix("super::") {
                    module.pop();
                    rest = further;
                }
                expand(&module, rest, &mut named);
            }
        }
        named
    }

    /// The file's module path in its crate.
    fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("src/").map_or("", |(_, inside)| inside);
        inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect()
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Expands one path after `base`, or several in braces.
fn expand(base: &[String], text: &str, named: &mut Vec<String>) {
    if let Some(inside) = text.strip_prefix('{') {
        let mut depth = 0;
        let mut start = 0;
        for (at, letter) in inside.char_indices() {
            match letter {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    expand(base, inside[start..at].trim_start(), named);
                    start = at + 1;
                    if letter == '}' {
                        return;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return;
    }
    let word: String = text.chars().take_while(|letter| is_word(*letter)).collect();
    if word.is_empty() {
        return;
    }
    let longer = [base, std::slice::from_ref(&word)].concat();
    match text[word.len()..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|letter| is_word(letter) || letter == '{') => expand(&longer, rest, named),
        _ => named.push(longer.join("::")),
    }
}
