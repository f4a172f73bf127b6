//! Acknowledgements of flags.

use chrono::Duration;
use yomitori_facility::{Flag, Text, Word as _};
use yomitori_proto::event::{AlertAcknowledged, AlertSnoozed};

use super::{Field, Input, NO_WHY, Statement, Subject};

const FLAG: Field =
    Field { name: "flag", label: Text::fixed("項目", "Flag"), hint: None, input: Input::Select(flags) };

pub(super) static STATEMENTS: [Statement; 2] = [
    Statement {
        key: "flag-seen",
        command: ["flag", "acknowledge"],
        title: Text::fixed("要確認の項目を確認した", "Acknowledge a flag"),
        note: Some(Text::fixed(
            "項目は消えません。誰が確認したかが表示されます。",
            "The flag stays raised; the page shows who has seen it.",
        )),
        about: Subject::Facility,
        fields: &[FLAG],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| Ok(AlertAcknowledged { flag: values.word("flag").to_owned() }.into())),
    },
    Statement {
        key: "flag-snoozed",
        command: ["flag", "snooze"],
        title: Text::fixed("要確認の項目を保留する", "Snooze a flag"),
        note: None,
        about: Subject::Facility,
        fields: &[
            FLAG,
            Field {
                name: "days",
                label: Text::fixed("期間", "For how long"),
                hint: None,
                input: Input::Radio(&[
                    ("1", Text::fixed("1日", "1 day")),
                    ("7", Text::fixed("1週間", "1 week")),
                    ("30", Text::fixed("30日", "30 days")),
                ]),
            },
        ],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| {
            let days = values.word("days").parse().unwrap_or(1);
            Ok(AlertSnoozed { flag: values.word("flag").to_owned(), until: values.now + Duration::days(days) }.into())
        }),
    },
];

fn flags() -> Vec<(&'static str, Text)> {
    Flag::ALL.iter().map(|flag| (flag.key(), flag.label())).collect()
}
