//! Whether the group wants a facility listed.

use yomitori_facility::Text;
use yomitori_proto::event::ListingIntentSet;
use yomitori_proto::vocabulary::Intent;

use super::{Field, Input, NO_WHY, Statement, Subject};

pub(super) static STATEMENTS: [Statement; 1] = [Statement {
    key: "intent",
    command: ["intent", "set"],
    title: Text::fixed("掲載の意向", "Whether it shall be listed"),
    note: Some(Text::fixed(
        "希望しない場合、コールセンターへの電話が要るかどうかは自動で判定されます。",
        "If it shall not be listed, the system decides whether a call is needed.",
    )),
    about: Subject::Facility,
    fields: &[Field {
        name: "intent",
        label: Text::fixed("意向", "Intent"),
        hint: None,
        input: Input::Radio(&[
            ("do_not_want", Text::fixed("掲載を希望しない", "Shall not be listed")),
            ("want_listed", Text::fixed("掲載を希望する", "Shall be listed")),
            ("undecided", Text::fixed("未定", "Undecided")),
        ]),
    }],
    why: NO_WHY,
    telephones: false,
    event: Some(|values| {
        let intent = match values.word("intent") {
            "do_not_want" => Intent::DoNotWant,
            "want_listed" => Intent::WantListed,
            _ => Intent::Undecided,
        };
        Ok(ListingIntentSet { intent }.into())
    }),
}];
