//! The choices of the desk page, in words that fit on a button. The identifiers are those of the server's tables of
//! causes and fallbacks; a test keeps both in step.

use super::text::Text;

/// A cause or a fallback.
pub struct Choice {
    /// The identifier in the server's table.
    pub id: &'static str,
    pub(super) text: Text,
}

/// Causes that belong together.
pub(super) struct Group {
    pub(super) title: Text,
    pub(super) causes: &'static [Choice],
}

const fn choice(id: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { id, text: Text::fixed(ja, en) }
}

pub(super) const GROUPS: &[Group] = &[
    Group {
        title: Text::fixed("患者さんのスマホ", "The patient's phone"),
        causes: &[
            choice("PatientDevice.NotSetUp", "設定・登録がまだ", "Not set up"),
            choice("PatientDevice.PinWrong", "暗証番号の間違い", "Wrong PIN"),
            choice("PatientDevice.PinLocked", "暗証番号のロック", "PIN locked"),
            choice("PatientDevice.BiometricsFailed", "顔・指紋の認証失敗", "Face or finger not taken"),
            choice("PatientDevice.CertExpired", "証明書の期限切れ", "Certificate expired"),
            choice("PatientDevice.Revoked", "証明書の失効", "Certificate revoked"),
            choice("PatientDevice.CardRenewedNotReissued", "カード更新後 未申請", "Not applied for again"),
        ],
    },
    Group {
        title: Text::fixed("かざし方・結果", "How it was held, result"),
        causes: &[
            choice("PatientDevice.NfcOff", "NFCがオフ", "NFC is off"),
            choice("PatientDevice.Case", "ケースが邪魔", "Case in the way"),
            choice("PatientDevice.Position", "位置・時間が合わない", "Held wrongly"),
            choice("Card.NotRecognised", "カード認識不可【001】", "Card not recognised"),
            choice("Card.Other", "別のカード【002】", "Another card"),
            choice("Eligibility.Invalid", "読めたが資格が無効", "Read, but not valid"),
            choice("Eligibility.NotFound", "読めたが資格なし", "Read, none found"),
        ],
    },
    Group {
        title: Text::fixed("リーダー・機器", "Reader and devices"),
        causes: &[
            choice("Site.ReaderUnplugged", "リーダーが未接続", "Reader unplugged"),
            choice("Site.UsbPower", "USBの電力不足", "Too little USB power"),
            choice("Site.Hub", "ハブ・ケーブル不良", "Hub or cable"),
            choice("Site.ReaderOnMetal", "金属の上にある", "Reader on metal"),
            choice("Site.TooFar", "顔認証機から遠い", "Far from face reader"),
            choice("Site.PairingNotSet", "ペアリング未設定", "Not paired"),
            choice("Site.NotRestarted", "再起動していない", "Not restarted"),
            choice("Site.FaceReaderDisconnected", "顔認証機の切断", "Face reader cut off"),
        ],
    },
    Group {
        title: Text::fixed("ソフト・回線", "Software and line"),
        causes: &[
            choice("Site.SoftwareOutdated", "ソフトが古い", "Software outdated"),
            choice("Site.UsbBlockedByPolicy", "USB制限", "USB restricted"),
            choice("Site.AppBlocked", "アプリ制限", "Program restricted"),
            choice("Network", "回線につながらない", "Line down"),
            choice("CentreOutage", "中央システム障害", "Central system down"),
            choice("Timeout", "応答がない", "No answer"),
            choice("Unknown", "原因不明・その他", "Not known, other"),
        ],
    },
];

pub(super) const FALLBACKS: &[Choice] = &[
    choice(
        "MynaPortalScreen",
        "マイナアプリ（旧マイナポータルアプリ）の画面",
        "Screen of the Myna app (formerly Myna Portal app)",
    ),
    choice("SavedPdf", "保存済みのPDF", "Saved PDF"),
    choice("PhysicalCard", "実物のマイナンバーカード", "Physical My Number card"),
    choice("EligibilityCertificate", "資格確認書", "Eligibility certificate"),
    choice("EligibilityNoticeWithCard", "資格情報のお知らせ＋カード", "Insurance notice with the card"),
    choice("Declaration", "被保険者資格申立書", "Declaration of insurance"),
    choice("Other", "その他", "Something else"),
];

/// Every cause that the page offers.
pub fn causes() -> impl Iterator<Item = &'static Choice> {
    GROUPS.iter().flat_map(|group| group.causes)
}

/// Every fallback that the page offers.
pub fn fallbacks() -> impl Iterator<Item = &'static Choice> {
    FALLBACKS.iter()
}

pub(super) fn cause(id: &str) -> Option<&'static Choice> {
    causes().find(|choice| choice.id == id)
}

pub(super) fn fallback(id: &str) -> Option<&'static Choice> {
    fallbacks().find(|choice| choice.id == id)
}
