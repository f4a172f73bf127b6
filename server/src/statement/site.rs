//! Statements about a site: purchases, the reception desk, face reader, readers, notices.

use yomitori_facility::{FaceReaderModel, Text};
use yomitori_proto::event::{
    FaceReaderModelSet, FaceReaderRestarted, NoticeHung, ReaderPurchased, ReaderRoleAssigned, ReceptionArranged,
};
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{Notice, PhoneNative, Purchase, PurchaseRoute, ReaderRole};

use super::field::{MISSING, past};
use super::terminal::TERMINAL;
use super::{AT_THE_DESK, CHECKED, Field, Input, Problem, Statement, Subject};

pub(super) static STATEMENTS: [Statement; 6] = [
    Statement {
        key: "purchased",
        command: ["purchase", "record"],
        title: Text::fixed("購入した機器", "What was bought"),
        note: Some(Text::fixed(
            "補助を受けるための招待コードは、医療機関等向け総合ポータルサイトの「スマートフォン対応」の案内で各施設が確認します。他に渡さないでください。ここには入力しません。",
            "Each facility finds the invitation code for the subsidy on the portal for medical institutions, under \"smartphone support\". It must not be passed on, and is never entered here.",
        )),
        about: Subject::Facility,
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
                    ("own", Text::fixed("自費", "At the facility's expense")),
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
            Ok(ReaderPurchased { item, route }.into())
        }),
    },
    Statement {
        key: "reception",
        command: ["reception", "record"],
        title: Text::fixed("受付の準備ができた", "The reception desk is ready"),
        note: Some(Text::fixed(
            "リーダーは顔認証付きカードリーダーの横に、金属を避けて置きます。",
            "The reader stands beside the face reader, not on metal.",
        )),
        about: Subject::Facility,
        fields: &[past(Text::fixed("準備ができた日時", "Since when"))],
        why: AT_THE_DESK,
        telephones: false,
        event: Some(|values| Ok(ReceptionArranged { arranged_at: values.at("at") }.into())),
    },
    Statement {
        key: "face-reader",
        command: ["face-reader", "set"],
        title: Text::fixed("顔認証付きカードリーダーの機種", "Model of the face reader"),
        note: None,
        about: Subject::Facility,
        fields: &[
            Field { name: "model", label: Text::fixed("機種", "Model"), hint: None, input: Input::Select(models) },
            Field {
                name: "phone_native",
                label: Text::fixed("単体でスマホを読めるか", "Whether it reads phones by itself"),
                hint: None,
                input: Input::Radio(&[
                    ("unknown", Text::fixed("機種表のとおり・不明", "According to the model table, or unknown")),
                    ("yes", Text::fixed("読める", "Yes")),
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
            Ok(FaceReaderModelSet { model: values.word("model").to_owned(), phone_native }.into())
        }),
    },
    Statement {
        key: "reader-role",
        command: ["reader-role", "set"],
        title: Text::fixed("リーダーの用途", "Role of a reader"),
        note: Some(Text::fixed(
            "スマートフォン用のリーダーのタップだけが、読み取りの証拠になります。",
            "Only taps on a reader for smartphones are evidence of a read.",
        )),
        about: Subject::Facility,
        fields: &[
            TERMINAL,
            Field {
                name: "reader",
                label: Text::fixed("リーダーキー", "Reader key"),
                hint: None,
                input: Input::Given("00000000000000c1", |text| text.parse::<ReaderKey>().is_ok()),
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
            let terminal = values.word("terminal").parse().map_err(|_| Problem { field: "terminal", text: MISSING })?;
            let reader = values.word("reader").parse().map_err(|_| Problem { field: "reader", text: MISSING })?;
            Ok(ReaderRoleAssigned { terminal, reader, role }.into())
        }),
    },
    Statement {
        key: "restarted",
        command: ["restart", "record"],
        title: Text::fixed("顔認証付きカードリーダーを再起動した", "The face reader was restarted"),
        note: None,
        about: Subject::Facility,
        fields: &[past(Text::fixed("再起動した日時", "When"))],
        why: AT_THE_DESK,
        telephones: false,
        event: Some(|values| Ok(FaceReaderRestarted { restarted_at: values.at("at") }.into())),
    },
    Statement {
        key: "notice",
        command: ["notice", "record"],
        title: Text::fixed("掲示した", "A notice was put up"),
        note: Some(Text::fixed(POSTER_NOTE.0, POSTER_NOTE.1)),
        about: Subject::Facility,
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
            Ok(NoticeHung { notice, hung_at: values.at("at") }.into())
        }),
    },
];

const POSTER_NOTE: (&str, &str) = (
    "スマホに対応しない施設は、日本医師会の資料を掲示します。",
    "A facility that does not support phones puts up the medical association's material.",
);

fn models() -> Vec<(&'static str, Text)> {
    let known = FaceReaderModel::all().iter();
    let known = known.map(|model| (model.id.as_str(), Text::fixed(&model.name, &model.name)));
    known.chain([("other", Text::fixed("その他・不明", "Other or unknown"))]).collect()
}
