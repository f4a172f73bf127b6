//! The forms, one entry each: what is asked, and which event follows. Here are wishes, calls and flags; what people do and
//! see at the site is in `site`, what terminals collect in `collection`, what is decided about the ministry's list in `list`.

mod collection;
mod list;
mod parked;
mod site;

use chrono::Duration;
use yomitori_facility::{Flag, Text, Word as _};
use yomitori_proto::event::{
    AlertAcknowledged, AlertSnoozed, ListingIntentSet, OptOutAcknowledged, OptOutCallMade, OptOutCallPlanned,
    OptOutWithdrawn,
};
use yomitori_proto::vocabulary::Intent;

pub(in crate::web) use self::parked::SKIP;
pub(super) use self::site::material;
use super::{Act, Field, Input, Moment};
use crate::clock;

/// Every form.
pub(super) fn all() -> impl Iterator<Item = &'static Act> {
    ACTS.iter().chain(&site::ACTS).chain([&collection::ACT])
}

/// The form of a key.
pub(in crate::web) fn find(key: &str) -> Option<&'static Act> {
    all().find(|act| act.key == key)
}

/// The form of a decision about the ministry's list.
pub(in crate::web) fn decision(key: &str) -> Option<&'static Act> {
    list::ACTS.iter().find(|act| act.key == key)
}

const fn past(label: Text) -> Field {
    Field { name: "at", label, hint: Some(JAPAN), input: Input::Minute(Moment::Past) }
}

const JAPAN: Text = Text::fixed("日本時間", "Japanese time");
const NO_WHY: Text = Text::fixed("", "");
const NOT_WANTED: Text = Text::fixed("掲載を希望しないため", "listing is not wanted");
const FLAG: Field =
    Field { name: "flag", label: Text::fixed("項目", "Flag"), hint: None, input: Input::Select(flags) };

static ACTS: [Act; 7] = [
    Act {
        key: "intent",
        title: Text::fixed("掲載の意向", "Whether it shall be listed"),
        note: Some(Text::fixed(
            "希望しない場合、コールセンターへの電話が要るかどうかは自動で判定されます。",
            "Where it shall not be listed, whether a call is needed follows by itself.",
        )),
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
            ListingIntentSet { intent }.into()
        }),
    },
    Act {
        key: "call-planned",
        title: Text::fixed("電話の予定", "Plan the call"),
        note: None,
        fields: &[Field {
            name: "at",
            label: Text::fixed("いつ電話するか", "When to call"),
            hint: Some(JAPAN),
            input: Input::Minute(Moment::Ahead),
        }],
        why: NOT_WANTED,
        telephones: true,
        event: Some(|values| OptOutCallPlanned { planned_at: values.at("at") }.into()),
    },
    Act {
        key: "called",
        title: Text::fixed("電話した", "Record the call"),
        note: Some(Text::fixed(
            "コールセンターに、この施設の掲載を希望しないことを伝えた後に記録してください。",
            "Record it after telling the call centre that this facility shall not be listed.",
        )),
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
        event: Some(|values| OptOutCallMade { called_at: values.at("at"), reference: values.line("reference") }.into()),
    },
    Act {
        key: "acknowledged",
        title: Text::fixed("受付の確認", "Record the confirmation"),
        note: Some(Text::fixed(
            "コールセンターが申出を受け付けたと分かったら記録してください。リストへの反映は、後のリストで確認されます。",
            "Record it when the call centre has confirmed the opt-out. Whether the list follows is seen in a later list.",
        )),
        fields: &[past(Text::fixed("受け付けられた日時", "When it was confirmed"))],
        why: Text::fixed("コールセンターの回答", "the call centre said so"),
        telephones: false,
        event: Some(|values| OptOutAcknowledged { acknowledged_at: values.at("at") }.into()),
    },
    Act {
        key: "withdrawn",
        title: Text::fixed("申出の取り下げ", "Withdraw the opt-out"),
        note: Some(Text::fixed(
            "コールセンターに取り下げを伝えた後に記録してください。掲載に戻るまでの日数は公表されていません。",
            "Record it after telling the call centre. How long it takes to be listed again was never published.",
        )),
        fields: &[past(Text::fixed("取り下げた日時", "When it was withdrawn"))],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| OptOutWithdrawn { withdrawn_at: values.at("at") }.into()),
    },
    Act {
        key: "flag-seen",
        title: Text::fixed("要確認の項目を確認した", "Acknowledge a flag"),
        note: Some(Text::fixed(
            "項目は消えません。誰が確認したかが表示されます。",
            "The flag stays; who has seen it is shown beside it.",
        )),
        fields: &[FLAG],
        why: NO_WHY,
        telephones: false,
        event: Some(|values| AlertAcknowledged { flag: values.word("flag").to_owned() }.into()),
    },
    Act {
        key: "flag-snoozed",
        title: Text::fixed("要確認の項目を保留する", "Snooze a flag"),
        note: None,
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
            AlertSnoozed { flag: values.word("flag").to_owned(), until: clock::now() + Duration::days(days) }.into()
        }),
    },
];

fn flags() -> Vec<(&'static str, Text)> {
    Flag::ALL.iter().map(|flag| (flag.key(), flag.label())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Values;
    use yomitori_proto::event::FaceReaderModelSet;
    use yomitori_proto::vocabulary::PhoneNative;

    use super::*;

    #[test]
    fn every_form_has_its_own_address_and_asks_for_nothing_twice() {
        let keys: BTreeSet<&str> = all().map(|act| act.key).collect();
        assert_eq!(keys.len(), all().count());
        for act in all() {
            assert!(find(act.key).is_some());
            let names: BTreeSet<&str> = act.fields.iter().map(|field| field.name).chain(["by", "why"]).collect();
            assert_eq!(names.len(), act.fields.len() + 2, "{}", act.key);
        }
    }

    #[test]
    fn no_form_asks_for_the_invitation_code() {
        let mut fields = all().flat_map(|act| act.fields);
        assert!(fields.all(|field| !field.label.ja.contains("招待") && !field.name.contains("invit")));
        let note = find("purchased").and_then(|act| act.note.clone()).unwrap();
        assert!(note.ja.contains("他に渡さないで") && note.en.contains("must not be passed on"));
    }

    #[test]
    fn values_default_to_what_claims_least() {
        let event = find("face-reader").unwrap().event(&Values::default());
        let unknown = FaceReaderModelSet { model: String::new(), phone_native: PhoneNative::Unknown };
        assert_eq!(event, Some(unknown.into()));
    }
}
