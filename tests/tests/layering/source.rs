//! The files of the tree, and the modules that a Rust file names in its own crate.

#![expect(clippy::string_slice, reason = "cut only where ASCII was found")]

use std::collections::{BTreeMap, BTreeSet};
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
    const NOT_SOURCE: [&str; 7] = [".git", "Cargo.lock", "corpus", "data", "golden", "proptest-regressions", "target"];
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
        let code = self.code();
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

    /// Its lines without comments; of its tests nothing.
    pub(crate) fn code(&self) -> String {
        if self.path.ends_with("/tests.rs") {
            return String::new();
        }
        let lines = self.text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        lines.filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
    }

    /// The names of its public types, whatever the public is.
    pub(crate) fn public_types(&self) -> Vec<String> {
        let code = self.code();
        let name = |line: &str| {
            let rest = line.strip_prefix("pub")?;
            let rest = match rest.strip_prefix('(') {
                Some(rest) => rest.split_once(')')?.1,
                None => rest,
            };
            let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
            let rest = kinds.iter().find_map(|kind| rest.trim_start().strip_prefix(kind))?;
            Some(rest.chars().take_while(|letter| is_word(*letter)).collect())
        };
        code.lines().filter_map(name).collect()
    }

    /// The file's module path in its crate.
    fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("src/").map_or("", |(_, inside)| inside);
        inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect()
    }
}

/// Which files below `root` each file there imports. A module and those that it declares know each other anyway.
pub(crate) fn imports(sources: &[Source], root: &str) -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<String, &Source> = sources
        .iter()
        .filter(|source| source.path.starts_with(root) && source.path.ends_with(".rs"))
        .map(|source| (source.module().join("::"), source))
        .collect();
    let file_of = |named: &str| {
        let words: Vec<&str> = named.split("::").collect();
        (1..=words.len()).rev().map(|count| words[..count].join("::")).find(|module| files.contains_key(module))
    };
    let of_file = |(module, source): (&String, &&Source)| {
        let named = source.named();
        let others = named.iter().filter_map(|named| file_of(named));
        let above = |other: &String| other == module || module.starts_with(&format!("{other}::"));
        (module.clone(), others.filter(|other| !above(other)).collect())
    };
    files.iter().map(of_file).collect()
}

/// Files that import each other in a circle, the first one again at the end; none where there is no circle.
pub(crate) fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut done = BTreeSet::new();
    for start in imports.keys() {
        let mut path = Vec::new();
        if let Some(circle) = walk_imports(start, imports, &mut path, &mut done) {
            return circle;
        }
    }
    Vec::new()
}

fn walk_imports(
    file: &String,
    imports: &BTreeMap<String, BTreeSet<String>>,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(at) = path.iter().position(|before| before == file) {
        return Some(path[at..].iter().chain([file]).cloned().collect());
    }
    if done.contains(file) {
        return None;
    }
    path.push(file.clone());
    let others = imports.get(file).into_iter().flatten();
    let found = others.into_iter().find_map(|other| walk_imports(other, imports, path, done));
    path.pop();
    done.insert(file.clone());
    found
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
