//! What changed between two snapshots of one kind.

use std::collections::BTreeMap;

use serde::Serialize;

/// A row, as far as two snapshots can be compared by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DiffRow {
    pub code: String,
    pub name: String,
    /// The facility, where one of ours has the code.
    pub facility: Option<uuid::Uuid>,
}

/// A name that changed under its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NameChange {
    pub code: String,
    pub before: String,
    pub after: String,
    pub facility: Option<uuid::Uuid>,
}

/// By code, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    pub added: Vec<DiffRow>,
    pub removed: Vec<DiffRow>,
    pub renamed: Vec<NameChange>,
    pub unchanged: usize,
}

/// From `before` to `after`.
#[must_use]
pub fn diff(before: Vec<DiffRow>, after: Vec<DiffRow>) -> Diff {
    let mut gone: BTreeMap<String, DiffRow> = before.into_iter().map(|line| (line.code.clone(), line)).collect();
    let after: BTreeMap<String, DiffRow> = after.into_iter().map(|line| (line.code.clone(), line)).collect();
    let mut diff = Diff::default();
    for (code, line) in after {
        match gone.remove(&code) {
            None => diff.added.push(line),
            Some(old) if old.name == line.name => diff.unchanged += 1,
            Some(old) => {
                let facility = line.facility.or(old.facility);
                diff.renamed.push(NameChange { code, before: old.name, after: line.name, facility });
            }
        }
    }
    diff.removed = gone.into_values().collect();
    diff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_compared_by_code() {
        let line = |code: &str, name: &str| DiffRow { code: code.to_owned(), name: name.to_owned(), facility: None };
        let before = vec![line("1", "A"), line("2", "B"), line("3", "C"), line("3", "C")];
        let after = vec![line("2", "B"), line("3", "Cc"), line("4", "D")];
        let found = diff(before, after);
        assert_eq!(found.added, [line("4", "D")]);
        assert_eq!(found.removed, [line("1", "A")]);
        assert_eq!(found.renamed.len(), 1);
        assert_eq!(found.unchanged, 1);
    }
}
