//! That a record is left out that can't be folded.

use yomitori_facility::Text;

use super::{Field, Input, NO_WHY, Statement, Subject};
use crate::log::Position;

/// The first waiting record is left out for good.
pub static SKIP: Statement = Statement {
    key: "skip",
    command: ["parked", "skip"],
    title: Text::fixed("先頭の記録を除外する", "Leave the first record out"),
    note: Some(Text::fixed(
        "この記録は今後も読み込まれません（ログには残ります）。待っている後の記録は、続けて自動で反映されます。",
        "This record is left out for good (it stays in the log). What waits behind it is then folded by itself.",
    )),
    about: Subject::Other,
    fields: &[Field {
        name: "record",
        label: Text::fixed("記録の位置", "Place of the record"),
        hint: None,
        input: Input::Given("3:1024", |text| text.parse::<Position>().is_ok()),
    }],
    why: NO_WHY,
    telephones: false,
    event: None,
};
