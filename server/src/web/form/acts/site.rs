//! Forms of what people do and see at the site: what was bought, how the desk stands, what hangs, which phone was read.

use yomitori_facility::{FaceReaderModel, POSTER_ADDRESS, Text};
use yomitori_proto::event::{
    FaceReaderModelSet, FaceReaderRestarted, NoticeHung, ReaderPurchased, ReaderRoleAssigned, ReceptionArranged,
    SmartphoneReadAttested,
};
use yomitori_proto::id::{ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{Notice, PhoneNative, PhoneOs, Purchase, PurchaseRoute, ReaderRole};

use super::super::{Act, Field, Input};
use super::past;

const AT_THE_DESK: Text = Text::fixed("受付で確認したため", "seen at the desk");
const CHECKED: Text = Text::fixed("施設に確認したため", "the facility said so");

pub(super) static ACTS: [Act; 7] = [
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
        event: Some(|values| {
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
        }),
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
        event: Some(|values| ReceptionArranged { arranged_at: values.at("at") }.into()),
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
        event: Some(|values| {
            let phone_native = match values.word("phone_native") {
                "yes" => PhoneNative::Yes,
                "no" => PhoneNative::No,
                _ => PhoneNative::Unknown,
            };
            FaceReaderModelSet { model: values.word("model").to_owned(), phone_native }.into()
        }),
    },
    Act {
        key: "reader-role",
        title: Text::fixed("リーダーの用途", "What a reader is for"),
        note: Some(Text::fixed(
            "スマートフォン用のリーダーのタップだけが、読み取りの証拠になります。",
            "Only taps on a reader for smartphones are evidence of a read.",
        )),
        fields: &[
            Field {
                name: "terminal",
                label: Text::fixed("端末", "Terminal"),
                hint: None,
                input: Input::Given(|text| text.parse::<TerminalId>().is_ok()),
            },
            Field {
                name: "reader",
                label: Text::fixed("リーダーキー", "Reader key"),
                hint: None,
                input: Input::Given(|text| text.parse::<ReaderKey>().is_ok()),
            },
            Field {
                name: "role",
                label: Text::fixed("用途", "Role"),
                hint: None,
                input: Input::Radio(&[
                    ("phone", Text::fixed("スマートフォン用", "For smartphones")),
                    ("face_auth", Text::fixed("顔認証用", "Face reader")),
                    ("staff_login", Text::fixed("職員ログイン用", "Staff login")),
                    ("other", Text::fixed("その他", "Something else")),
                ]),
            },
        ],
        why: CHECKED,
        telephones: false,
        event: Some(|values| {
            let role = match values.word("role") {
                "phone" => ReaderRole::Phone,
                "face_auth" => ReaderRole::FaceAuth,
                "staff_login" => ReaderRole::StaffLogin,
                _ => ReaderRole::Other,
            };
            let terminal = values.word("terminal").parse().expect("a form is read before its event is made");
            let reader = values.word("reader").parse().expect("a form is read before its event is made");
            ReaderRoleAssigned { terminal, reader, role }.into()
        }),
    },
    Act {
        key: "restarted",
        title: Text::fixed("顔認証付きカードリーダーを再起動した", "The face reader was restarted"),
        note: None,
        fields: &[past(Text::fixed("再起動した日時", "When"))],
        why: AT_THE_DESK,
        telephones: false,
        event: Some(|values| FaceReaderRestarted { restarted_at: values.at("at") }.into()),
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
        event: Some(|values| {
            let notice = match values.word("notice") {
                "supported_sticker" => Notice::SupportedSticker,
                _ => Notice::NotSupportedPoster,
            };
            NoticeHung { notice, hung_at: values.at("at") }.into()
        }),
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
        event: Some(|values| {
            let os = match values.word("os") {
                "ios" => PhoneOs::Ios,
                "android" => PhoneOs::Android,
                _ => PhoneOs::Unknown,
            };
            SmartphoneReadAttested { os, read_at: values.at("at"), test: values.ticked("test") }.into()
        }),
    },
];

const POSTER_NOTE: (&str, &str) = (
    "スマホに対応しない施設は、日本医師会の資料を掲示します。",
    "A facility that does not support phones hangs up the medical association's material.",
);

/// Where the material for the poster is.
pub(in crate::web::form) const fn material(act: &Act) -> Option<&'static str> {
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
