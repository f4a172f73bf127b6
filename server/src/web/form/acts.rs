//! The forms, one entry each: what is asked, and which event follows.

use chrono::Duration;
use yomitori_facility::{FaceReaderModel, Flag, POSTER_ADDRESS, Text, Word as _};
use yomitori_proto::event::{
    AlertAcknowledged, AlertSnoozed, FaceReaderModelSet, FaceReaderRestarted, ListingIntentSet, NoticeHung,
    OptOutAcknowledged, OptOutCallMade, OptOutCallPlanned, OptOutWithdrawn, ReaderPurchased, ReceptionArranged,
    SmartphoneReadAttested,
};
use yomitori_proto::vocabulary::{Intent, Notice, PhoneNative, PhoneOs, Purchase, PurchaseRoute};

use super::{Act, Field, Input, Moment};
use crate::clock;

/// The form of a key.
pub(in crate::web) fn find(key: &str) -> Option<&'static Act> {
    ACTS.iter().find(|act| act.key == key)
}

const fn past(label: Text) -> Field {
    Field { name: "at", label, hint: Some(JAPAN), input: Input::Minute(Moment::Past) }
}

const JAPAN: Text = Text::fixed("日本時間", "Japanese time");
const NO_WHY: Text = Text::fixed("", "");
const NOT_WANTED: Text = Text::fixed("掲載を希望しないため", "listing is not wanted");
const AT_THE_DESK: Text = Text::fixed("受付で確認したため", "seen at the desk");
const CHECKED: Text = Text::fixed("施設に確認したため", "the facility said so");
const FLAG: Field =
    Field { name: "flag", label: Text::fixed("項目", "Flag"), hint: None, input: Input::Select(flags) };

pub(in crate::web) static ACTS: [Act; 13] = [
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
        event: |values| {
            let intent = match values.word("intent") {
                "do_not_want" => Intent::DoNotWant,
                "want_listed" => Intent::WantListed,
                _ => Intent::Undecided,
            };
            ListingIntentSet { intent }.into()
        },
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
        event: |values| OptOutCallPlanned { planned_at: values.at("at") }.into(),
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
        event: |values| OptOutCallMade { called_at: values.at("at"), reference: values.line("reference") }.into(),
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
        event: |values| OptOutAcknowledged { acknowledged_at: values.at("at") }.into(),
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
        event: |values| OptOutWithdrawn { withdrawn_at: values.at("at") }.into(),
    },
    Act {
        key: "purchased",
        title: Text::fixed("購入した機器", "What was bought"),
        note: Some(Text::fixed(
            "補助を受けるための招待コードは、医療機関等向け総合ポータルサイトの「スマートフォン対応」の案内で各施設が確認します。他に渡さないでください。ここには入力しません。",
            "Each facility finds the invitation code for the subsidy on the portal for medical institutions, under \"smartphone support\". It must not be passed on, and is never entered here.",
        )),
        fields: &[
            Field {
                name: "item",
                label: Text::fixed("品目", "Item"),
                hint: None,
                input: Input::Radio(&[
                    ("reader", Text::fixed("汎用カードリーダー", "General-purpose reader")),
                    ("usb_hub", Text::fixed("USBハブ", "USB hub")),
                    ("extension_cable", Text::fixed("USB延長ケーブル", "USB extension cable")),
                ]),
            },
            Field {
                name: "route",
                label: Text::fixed("購入の方法", "How"),
                hint: None,
                input: Input::Radio(&[
                    ("subsidised", Text::fixed("補助を利用", "With the subsidy")),
                    ("own", Text::fixed("自費", "At own expense")),
                    ("unknown", Text::fixed("不明", "Not known")),
                ]),
            },
        ],
        why: CHECKED,
        telephones: false,
        event: |values| {
            let item = match values.word("item") {
                "usb_hub" => Purchase::UsbHub,
                "extension_cable" => Purchase::ExtensionCable,
                _ => Purchase::Reader,
            };
            let route = match values.word("route") {
                "subsidised" => PurchaseRoute::Subsidised,
                "own" => PurchaseRoute::Own,
                _ => PurchaseRoute::Unknown,
            };
            ReaderPurchased { item, route }.into()
        },
    },
    Act {
        key: "reception",
        title: Text::fixed("受付の準備ができた", "The reception desk is ready"),
        note: Some(Text::fixed(
            "リーダーは顔認証付きカードリーダーの横に、金属を避けて置きます。",
            "The reader stands beside the face reader, not on metal.",
        )),
        fields: &[past(Text::fixed("準備ができた日時", "Since when"))],
        why: AT_THE_DESK,
        telephones: false,
        event: |values| ReceptionArranged { arranged_at: values.at("at") }.into(),
    },
    Act {
        key: "face-reader",
        title: Text::fixed("顔認証付きカードリーダーの機種", "Model of the face reader"),
        note: None,
        fields: &[
            Field { name: "model", label: Text::fixed("機種", "Model"), hint: None, input: Input::Select(models) },
            Field {
                name: "phone_native",
                label: Text::fixed("単体でスマホを読めるか", "Whether it reads phones by itself"),
                hint: None,
                input: Input::Radio(&[
                    ("unknown", Text::fixed("機種表のとおり・不明", "As the model is known, or not known")),
                    ("yes", Text::fixed("読める", "It does")),
                    ("no", Text::fixed("汎用カードリーダーが必要", "It needs a general-purpose reader")),
                ]),
            },
        ],
        why: CHECKED,
        telephones: false,
        event: |values| {
            let phone_native = match values.word("phone_native") {
                "yes" => PhoneNative::Yes,
                "no" => PhoneNative::No,
                _ => PhoneNative::Unknown,
            };
            FaceReaderModelSet { model: values.word("model").to_owned(), phone_native }.into()
        },
    },
    Act {
        key: "restarted",
        title: Text::fixed("顔認証付きカードリーダーを再起動した", "The face reader was restarted"),
        note: None,
        fields: &[past(Text::fixed("再起動した日時", "When"))],
        why: AT_THE_DESK,
        telephones: false,
        event: |values| FaceReaderRestarted { restarted_at: values.at("at") }.into(),
    },
    Act {
        key: "notice",
        title: Text::fixed("掲示した", "A notice was hung up"),
        note: Some(Text::fixed(POSTER_NOTE.0, POSTER_NOTE.1)),
        fields: &[
            Field {
                name: "notice",
                label: Text::fixed("掲示物", "Notice"),
                hint: None,
                input: Input::Radio(&[
                    ("supported_sticker", Text::fixed("スマホ対応ステッカー", "Sticker: phones are supported")),
                    ("not_supported_poster", Text::fixed("スマホ非対応の掲示", "Poster: phones are not supported")),
                ]),
            },
            past(Text::fixed("掲示した日時", "Since when")),
        ],
        why: AT_THE_DESK,
        telephones: false,
        event: |values| {
            let notice = match values.word("notice") {
                "supported_sticker" => Notice::SupportedSticker,
                _ => Notice::NotSupportedPoster,
            };
            NoticeHung { notice, hung_at: values.at("at") }.into()
        },
    },
    Act {
        key: "read",
        title: Text::fixed("スマホの読み取りを確認した", "A phone was read"),
        note: Some(Text::fixed(
            "誰が確認したかとともに証拠になります。技術者のテストも成功に数えられ、テストと表示されます。",
            "With your name it is evidence. A technician's test counts too, and is shown as a test.",
        )),
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
        event: |values| {
            let os = match values.word("os") {
                "ios" => PhoneOs::Ios,
                "android" => PhoneOs::Android,
                _ => PhoneOs::Unknown,
            };
            SmartphoneReadAttested { os, read_at: values.at("at"), test: values.ticked("test") }.into()
        },
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
        event: |values| AlertAcknowledged { flag: values.word("flag").to_owned() }.into(),
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
        event: |values| {
            let days = values.word("days").parse().unwrap_or(1);
            AlertSnoozed { flag: values.word("flag").to_owned(), until: clock::now() + Duration::days(days) }.into()
        },
    },
];

const POSTER_NOTE: (&str, &str) = (
    "スマホに対応しない施設は、日本医師会の資料を掲示します。",
    "A facility that does not support phones hangs up the medical association's material.",
);

/// Where the material for the poster is.
pub(super) const fn material(act: &Act) -> Option<&'static str> {
    match act.key.as_bytes() {
        b"notice" => Some(POSTER_ADDRESS),
        _ => None,
    }
}

fn models() -> Vec<(&'static str, Text)> {
    let known = FaceReaderModel::all().iter();
    let known = known.map(|model| (model.id.as_str(), Text::fixed(&model.name, &model.name)));
    known.chain([("other", Text::fixed("その他・不明", "Another, or not known"))]).collect()
}

fn flags() -> Vec<(&'static str, Text)> {
    Flag::ALL.iter().map(|flag| (flag.key(), flag.label())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Values;
    use super::*;

    #[test]
    fn every_form_has_its_own_address_and_asks_for_nothing_twice() {
        let keys: BTreeSet<&str> = ACTS.iter().map(|act| act.key).collect();
        assert_eq!(keys.len(), ACTS.len());
        for act in &ACTS {
            assert!(find(act.key).is_some());
            let names: BTreeSet<&str> = act.fields.iter().map(|field| field.name).chain(["by", "why"]).collect();
            assert_eq!(names.len(), act.fields.len() + 2, "{}", act.key);
        }
    }

    #[test]
    fn no_form_asks_for_the_invitation_code() {
        let fields = ACTS.iter().flat_map(|act| act.fields);
        assert!(fields.clone().all(|field| !field.label.ja.contains("招待") && !field.name.contains("invit")));
        let note = find("purchased").and_then(|act| act.note.clone()).unwrap();
        assert!(note.ja.contains("他に渡さないで") && note.en.contains("must not be passed on"));
    }

    #[test]
    fn values_default_to_what_claims_least() {
        let event = (find("face-reader").unwrap().event)(&Values::default());
        let unknown = FaceReaderModelSet { model: String::new(), phone_native: PhoneNative::Unknown };
        assert_eq!(event, unknown.into());
    }
}
