//! Documents that administrators write.

use yomitori_facility::Rules;
use yomitori_listing::format::Format;

/// The settings of both programs: every mistake is reported, and no text ends the program.
pub(super) fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(mistakes) = yomitori_agent::config::Config::parse(&text) {
        assert!(!mistakes.is_empty(), "a refusal has a reason");
    }
    if let Err(mistakes) = yomitori_server::config::Config::parse(&text, |_| None) {
        assert!(!mistakes.is_empty(), "a refusal has a reason");
    }
}

/// Rules, and formats of lists.
pub(super) fn rules(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(mistakes) = Rules::parse(&text) {
        assert!(!mistakes.is_empty(), "a refusal has a reason");
    }
    Format::parse(&text).ok();
}
