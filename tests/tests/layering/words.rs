//! Words that a reader of plain English stumbles over. They are refused in comments, messages and pages of documentation.

use super::source::Source;

/// A word, and what to write instead.
const REFUSED: [(&str, &str); 8] = [
    ("whoever", "the caller, the client, the owner"),
    ("anew", "again"),
    ("mend", "fix, correct"),
    ("mended", "fixed, corrected"),
    ("borne", "tolerated, accepted"),
    ("told", "reported, shown, notified"),
    ("so many", "how many, or at most n"),
    ("of late", "recently"),
];

/// The refused words of a file, each with its line.
pub(crate) fn refused(source: &Source) -> Vec<String> {
    let is_rust = source.path.ends_with(".rs");
    let lines = source.text.lines().enumerate();
    let found = lines.filter_map(|(index, line)| {
        let prose = if is_rust { prose(line) } else { line.to_owned() };
        let words = words(&prose);
        let (word, better) = REFUSED.into_iter().find(|(word, _)| words.contains(&format!(" {word} ")))?;
        Some(format!("{}:{}: `{word}`: write {better}", source.path, index + 1))
    });
    found.collect()
}

/// What of a line of Rust people read: its comment, or its texts.
fn prose(line: &str) -> String {
    match line.trim_start() {
        comment if comment.starts_with("//") => comment.to_owned(),
        code => code.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" "),
    }
}

/// The words of a text in lower case, with one space around each.
fn words(text: &str) -> String {
    let mut words = String::from(" ");
    for word in text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty()) {
        words.push_str(&word.to_lowercase());
        words.push(' ');
    }
    words
}

#[test]
fn only_words_that_people_read_are_refused() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let rust = "/// Whoever asks.\nlet told = anew(\"Nothing is borne.\");\n// fine\n";
    let found = refused(&source("a.rs", rust));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("a.rs:1: `whoever`") && found[1].starts_with("a.rs:2: `borne`"), "{found:?}");
    assert_eq!(refused(&source("b.md", "| so many | no |")).len(), 1);
}
