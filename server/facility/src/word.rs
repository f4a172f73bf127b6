//! Labels for the contract's enum values.

use yomitori_proto::vocabulary::{
    Closes, CollectionLevel, Component, Intent, Medium, Notice, PhoneNative, PhoneOs, Purchase, ReaderRole,
    SettingsOutcome,
};

/// Keys and labels of a closed list, one value per line.
macro_rules! words {
    ($($name:ident { $($word:ident = $key:literal, $ja:literal, $en:literal;)* })*) => {$(
        impl $crate::text::Word for $name {
            fn key(&self) -> &'static str {
                match self { $(Self::$word { .. } => $key,)* }
            }

            fn label(&self) -> $crate::text::Text {
                match self { $(Self::$word { .. } => $crate::text::Text::fixed($ja, $en),)* }
            }
        }
    )*};
}
pub(crate) use words;

words! {
    Intent {
        Unknown = "undecided", "未定", "undecided";
        Undecided = "undecided", "未定", "undecided";
        WantListed = "want_listed", "掲載を希望", "wants to be listed";
        DoNotWant = "do_not_want", "掲載を希望しない", "does not want to be listed";
    }
    ReaderRole {
        Unknown = "unknown", "用途未設定", "role not set";
        Phone = "phone", "スマートフォン用", "for smartphones";
        FaceAuth = "face_auth", "顔認証用", "face reader";
        StaffLogin = "staff_login", "職員ログイン用", "staff login";
        Other = "other", "その他", "other";
    }
    CollectionLevel {
        Unknown = "unknown", "不明", "unknown";
        Readers = "readers", "リーダーとタップだけ", "readers and taps only";
        Names = "names", "結果ファイルの名前まで", "names of result files too";
        Headers = "headers", "結果ファイルの見出しまで", "headers of result files too";
    }
    SettingsOutcome {
        Unknown = "unknown", "不明", "unknown";
        Applied = "applied", "適用", "applied";
        NotKept = "not_kept", "適用（保存できず、再起動で失われる）", "applied, but lost with the next start";
        NotUnderstood = "not_understood", "理解できず、前のまま", "not understood: as before";
    }
    PhoneNative {
        Unknown = "unknown", "不明", "unknown";
        Yes = "yes", "単体でスマートフォン対応", "reads phones by itself";
        No = "no", "汎用カードリーダーが必要", "needs a general-purpose reader";
    }
    Component {
        Unknown = "unknown", "不明なソフト", "unknown program";
        ComApp = "com_app", "連携アプリケーション", "linkage application";
        DistroApp = "distro_app", "配信アプリケーション", "distribution application";
        CardSoftware = "card_software", "マイナンバーカード処理ソフト", "My Number card software";
        FaceReaderSoftware = "face_reader_software", "本人認証用カードリーダーソフト", "face reader software";
        BrowserExtension = "browser_extension", "ブラウザ拡張", "browser extension";
    }
    Notice {
        Unknown = "unknown", "不明な掲示物", "unknown notice";
        NotSupportedPoster = "not_supported_poster", "スマホ非対応の掲示", "poster: phones are not supported";
        SupportedSticker = "supported_sticker", "スマホ対応ステッカー", "sticker: phones are supported";
    }
    PhoneOs {
        Unknown = "unknown", "機種不明", "unknown phone";
        Ios = "ios", "iPhone", "iPhone";
        Android = "android", "Android", "Android";
    }
    Purchase {
        Unknown = "unknown", "不明な品", "unknown item";
        Reader = "reader", "汎用カードリーダー", "general-purpose reader";
        UsbHub = "usb_hub", "USBハブ", "USB hub";
        ExtensionCable = "extension_cable", "USB延長ケーブル", "USB extension cable";
    }
    Closes {
        Unknown = "call_centre", "コールセンター", "the call centre";
        CallCentre = "call_centre", "コールセンター", "the call centre";
        Clinics = "clinics", "医療機関", "clinics";
    }
    Medium {
        Unknown = "unknown", "不明", "unknown";
        MyNumberCard = "my_number_card", "マイナンバーカード", "My Number card";
        FelicaOnly = "felica_only", "FeliCa（交通系等）", "FeliCa (transit card or similar)";
        DrivingLicence = "driving_licence", "運転免許証", "driving licence";
        ResidentCard = "resident_card", "住基カード", "resident register card";
        OtherTypeB = "other_type_b", "その他Type B", "other Type B";
        OtherTypeA = "other_type_a", "その他Type A", "other Type A";
    }
}
