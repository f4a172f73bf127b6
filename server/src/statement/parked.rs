//! Skips a record that cannot be folded.

use yomitori_facility::Text;

use super::{Field, Input, NO_WHY, Statement, Subject};
use crate::log::Position;

/// The first waiting record is skipped permanently.
pub static SKIP: Statement = Statement {
    key: "skip",
    command: ["parked", "skip"],
    title: Text::fixed("先頭の記録を除外する", "Skip the first record"),
    note: Some(Text::fixed(
        "この記録は今後も読み込まれません（ログには残ります）。待っている後の記録は、続けて自動で反映されます。",
        "This record is skipped permanently (it stays in the log). The records behind it are then folded.",
    )),
    about: Subject::Other,
    fields: &[Field {
        name: "record",
        label: Text::fixed("記録の位置", "Position of the record"),
        hint: None,
        input: Input::Given("3:1024", |text| text.parse::<Position>().is_ok()),
    }],
    why: NO_WHY,
    telephones: false,
    event: None,
};
