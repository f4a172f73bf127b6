//! Characters that change how a line of text is displayed.

/// Whether the character changes how the others of its line are displayed.
#[must_use]
pub const fn reorders(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether the character is displayed where it stands, and changes nothing around it.
#[must_use]
pub fn is_plain(letter: char) -> bool {
    !letter.is_control() && !reorders(letter)
}
