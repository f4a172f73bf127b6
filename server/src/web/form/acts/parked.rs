//! The form by which a person leaves a record out that nobody can follow.

use yomitori_facility::Text;

use super::super::{Act, Field, Input};
use crate::store::waiting::Position;

pub(in crate::web) static SKIP: Act = Act {
    key: "skip",
    title: Text::fixed("先頭の記録を除外する", "Leave the first record out"),
    note: Some(Text::fixed(
        "この記録は今後も読み込まれません（ログには残ります）。待っている後の記録は、続けて自動で反映されます。",
        "This record is left out for good (it stays in the log). What waits behind it is then folded by itself.",
    )),
    fields: &[Field {
        name: "record",
        label: Text::fixed("記録の位置", "Place of the record"),
        hint: None,
        input: Input::Given(|text| text.parse::<Position>().is_ok()),
    }],
    why: Text::fixed("", ""),
    telephones: false,
    event: None,
};
