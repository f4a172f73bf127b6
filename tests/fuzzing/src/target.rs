//! The targets: one for each boundary.

mod files;
mod settings;
mod statements;
mod terminal;
mod wire;

/// A boundary at which bytes of strangers arrive.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its folder in `corpus`.
    pub name: &'static str,
    /// Feeds it.
    ///
    /// # Panics
    /// If the boundary breaks a promise: this is what a run looks for.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// For a result of which only matters that it came, and whose computation must not be left out.
fn ended<T>(result: T) {
    std::hint::black_box(result);
}

/// All targets.
pub const TARGETS: [Target; 16] = [
    target("event", wire::event),
    target("uplink", wire::uplink),
    target("answer", wire::answer),
    target("record", wire::record),
    target("token", terminal::token),
    target("certificate", terminal::certificate),
    target("header", terminal::header),
    target("file-name", terminal::file_name),
    target("reader", terminal::reader),
    target("table", files::table),
    target("workbook", files::workbook),
    target("history", files::history),
    target("settings", settings::settings),
    target("rules", settings::rules),
    target("form", statements::form),
    target("query", statements::query),
];
