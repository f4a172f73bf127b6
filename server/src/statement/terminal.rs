//! Retirement of a terminal.

use yomitori_facility::Text;
use yomitori_proto::event::TerminalRetired;
use yomitori_proto::id::TerminalId;

use super::field::MISSING;
use super::{Field, Input, NO_WHY, Problem, Statement, Subject};

pub(super) const TERMINAL: Field = Field {
    name: "terminal",
    label: Text::fixed("端末", "Terminal"),
    hint: None,
    input: Input::Given("018f0000-0000-7000-8000-00000000a001", |text| text.parse::<TerminalId>().is_ok()),
};

pub(super) static STATEMENTS: [Statement; 1] = [Statement {
    key: "retire",
    command: ["terminal", "retire"],
    title: Text::fixed("端末の使用を終了した", "A terminal is no longer used"),
    note: Some(Text::fixed(
        "以後、この端末の記録は保存されますが、数えられません。応答がなくても要確認になりません。",
        "Its later observations are stored and do not count, and its silence raises no flag.",
    )),
    about: Subject::Facility,
    fields: &[TERMINAL],
    why: NO_WHY,
    telephones: false,
    event: Some(|values| {
        let terminal = values.word("terminal").parse().map_err(|_| Problem { field: "terminal", text: MISSING })?;
        Ok(TerminalRetired { terminal }.into())
    }),
}];
