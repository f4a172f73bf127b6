//! Statements about a read at the desk: a phone was read, was not read, or another way was used.

use yomitori_facility::{Cause, Fallback, Text};
use yomitori_proto::event::{FallbackUsed, SmartphoneReadAttested, SmartphoneReadFailed};
use yomitori_proto::vocabulary::PhoneOs;

use super::field::past;
use super::{AT_THE_DESK, Field, Input, Statement, Subject};

pub(super) static STATEMENTS: [Statement; 3] = [
    Statement {
        key: "read",
        command: ["read", "record"],
        title: Text::fixed("スマホの読み取りを確認した", "A phone was read"),
        note: Some(Text::fixed(
            "誰が確認したかとともに証拠になります。技術者のテストも成功に数えられ、テストと表示されます。",
            "Your name makes it evidence. A technician's test counts too and is shown as a test.",
        )),
        about: Subject::Facility,
        fields: &[
            Field {
                name: "os",
                label: Text::fixed("スマホ", "Phone"),
                hint: None,
                input: Input::Radio(&[
                    ("ios", Text::fixed("iPhone", "iPhone")),
                    ("android", Text::fixed("Android", "Android")),
                    ("unknown", Text::fixed("不明", "Not known")),
                ]),
            },
            past(Text::fixed("読み取った日時", "When it was read")),
            Field {
                name: "test",
                label: Text::fixed("技術者のテスト", "A technician's test"),
                hint: None,
                input: Input::Tick,
            },
        ],
        why: AT_THE_DESK,
        telephones: false,
        event: Some(|values| {
            let os = match values.word("os") {
                "ios" => PhoneOs::Ios,
                "android" => PhoneOs::Android,
                _ => PhoneOs::Unknown,
            };
            Ok(SmartphoneReadAttested { os, read_at: values.at("at"), test: values.ticked("test") }.into())
        }),
    },
    Statement {
        key: "failed",
        command: ["failure", "record"],
        title: Text::fixed("スマホを読み取れなかった", "A phone was not read"),
        note: None,
        about: Subject::Facility,
        fields: &[
            Field { name: "cause", label: Text::fixed("原因", "Cause"), hint: None, input: Input::Select(causes) },
            past(Text::fixed("試した日時", "When it was tried")),
        ],
        why: AT_THE_DESK,
        telephones: false,
        event: Some(|values| {
            Ok(SmartphoneReadFailed { cause: values.word("cause").to_owned(), read_at: values.at("at") }.into())
        }),
    },
    Statement {
        key: "fallback",
        command: ["fallback", "record"],
        title: Text::fixed("代わりの方法で確認した", "Another way was used instead"),
        note: None,
        about: Subject::Facility,
        fields: &[
            Field {
                name: "fallback", label: Text::fixed("方法", "What"), hint: None, input: Input::Select(fallbacks)
            },
            past(Text::fixed("確認した日時", "When")),
        ],
        why: AT_THE_DESK,
        telephones: false,
        event: Some(|values| {
            Ok(FallbackUsed { fallback: values.word("fallback").to_owned(), used_at: values.at("at") }.into())
        }),
    },
];

fn causes() -> Vec<(&'static str, Text)> {
    Cause::all().iter().map(|cause| (cause.id.as_str(), cause.sentence())).collect()
}

fn fallbacks() -> Vec<(&'static str, Text)> {
    Fallback::all().iter().map(|fallback| (fallback.id.as_str(), fallback.label())).collect()
}
