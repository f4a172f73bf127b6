//! Files that people bring: the ministry's list, a master of facilities, a history to explain.

use yomitori_facility::lines;
use yomitori_listing::entry::{self, Scope};
use yomitori_listing::format::Format;
use yomitori_listing::{master, table};

/// A table as text.
pub(super) fn table(bytes: &[u8]) {
    read(bytes);
}

/// A workbook. A fuzzer can't make the check sums of an archive, so it starts from real ones.
pub(super) fn workbook(bytes: &[u8]) {
    read(bytes);
}

fn read(bytes: &[u8]) {
    let Ok(rows) = table::read(bytes) else { return };
    let scope = Scope::default();
    if let Ok(format) = entry::detect(&Format::bundled(), &rows, scope)
        && let Ok(read) = entry::read(&rows, format, scope)
    {
        assert!(!read.entries.is_empty(), "a list that was read has entries");
    }
    if let Ok(master) = master::read(&rows, &Format::of_masters(), scope) {
        assert!(!master.facilities.is_empty(), "a master that was read has facilities");
    }
}

/// A history for `explain`.
pub(super) fn history(bytes: &[u8]) {
    lines::read(bytes).ok();
}
