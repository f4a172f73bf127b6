//! The call that takes a facility off the ministry's list, step by step.

use yomitori_facility::Text;
use yomitori_proto::event::{OptOutAcknowledged, OptOutCallMade, OptOutCallPlanned, OptOutWithdrawn};

use super::field::{JAPAN, past};
use super::{Field, Input, Moment, NO_WHY, Statement, Subject};

const NOT_WANTED: Text = Text::fixed("掲載を希望しないため", "listing is not wanted");

pub(super) static STATEMENTS: [Statement; 4] = [
    Statement {
        key: "call-planned",
        command: ["planned-call", "set"],
        title: Text::fixed("電話の予定", "Plan the call"),
        note: None,
        about: Subject::Facility,
        fields: &[Field {
            name: "at",
            label: Text::fixed("いつ電話するか", "When to call"),
            hint: Some(JAPAN),
            input: Input::Minute(Moment::Ahead),
        }],
        why: NOT_WANTED,
        telephones: true,
        event: Some(|values| Ok(OptOutCallPlanned { planned_at: values.at("at") }.into())),
    },
    Statement {
        key: "called",
        command: ["call", "record"],
        title: Text::fixed("電話した", "Record the call"),
        note: Some(Text::fixed(
            "コールセンターに、この施設の掲載を希望しないことを伝えた後に記録してください。",
            "Record it after you have informed the call centre that this facility shall not be listed.",
        )),
        about: Subject::Facility,
        fields: &[
            past(Text::fixed("電話した日時", "When the call was made")),
            Field {
                name: "reference",
                label: Text::fixed("受付番号", "Reference"),
                hint: Some(Text::fixed("あれば", "if one was given")),
                input: Input::Line(100),
            },
        ],
        why: NOT_WANTED,
        telephones: true,
        event: Some(|values| {
            Ok(OptOutCallMade { called_at: values.at("at"), reference: values.line("reference") }.into())
        }),
    },
    Statement {
        key: "acknowledged",
        command: ["confirmation", "record"],
        title: Text::fixed("受付の確認", "Record the confirmation"),
        note: Some(Text::fixed(
            "コールセンターが申出を受け付けたと分かったら記録してください。リストへの反映は、後のリストで確認されます。",
            "Record it when the call centre has confirmed the opt-out. A later list shows whether it took effect.",
        )),
        about: Subject::Facility,
        fields: &[past(Text::fixed("受け付けられた日時", "When it was confirmed"))],
        why: Text::fixed("コールセンターの回答", "confirmed by the call centre"),
        telephones: false,
        event: Some(|values| Ok(OptOutAcknowledged { acknowledged_at: values.at("at") }.into())),
    },
    Statement {
        key: "withdrawn",
        command: ["withdrawal", "record"],
        title: Text::fixed("申出の取り下げ", "Withdraw the opt-out"),
        note: Some(Text::fixed(
            "コールセンターに取り下げを伝えた後に記録してください。掲載に戻るまでの日数は公表されていません。",
            "Record it after you have informed the call centre. The time until it is listed again is not published.",
        )),
        about: Subject::Facility,
        fields: &[past(Text::fixed("取り下げた日時", "When it was withdrawn"))],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| Ok(OptOutWithdrawn { withdrawn_at: values.at("at") }.into())),
    },
];
