//! The words that the contract accepts where a field holds an identifier of a table. The tables themselves, with what
//! each word means, are at the terminal and at the server; a test keeps them in step with these lists.
//!
//! A pattern would accept more: the name of a result file and the answer of a card in hexadecimal digits are of the same
//! letters as a word. A word that is not listed comes from a newer version. It is read as the word for "not known", as a
//! value of an enumeration is, and the text itself is neither stored nor shown: here nobody can tell whether it is a word
//! at all.

/// The models of readers and face readers; the last two are former words of old statements. Another one is read as no
/// model, and in a statement as [`OTHER_MODEL`].
pub const READER_MODELS: &[&str] = &[
    "sony-rc-s300",
    "sony-rc-s660",
    "sony-pasori-4",
    "sony-rc-s380",
    "io-data-usb-nfc4",
    "acs-acr1252u",
    "acs-acr122u",
    "identiv-utrust-3700f",
    "hid-omnikey-5022",
    "sanwa-adr-mnicu2",
    "virtual-pcd",
    "windows-hello",
    "microsoft-virtual-smart-card",
    "microsoft-uicc",
    "canon-hi-cara",
    "fujitsu-caora",
    "almex-myna-touch",
    "atlas-exc-9000",
    "panasonic-xc-stfr1j",
    "almex-mynatouch",
    "panasonic-xc-stfr1j-mn",
];

/// Stands for a model that is not listed.
pub const OTHER_MODEL: &str = "other";

/// Why a phone could not be read. Another one is read as [`OTHER_CAUSE`].
pub const CAUSES: &[&str] = &[
    "PatientDevice.NotSetUp",
    "PatientDevice.PinWrong",
    "PatientDevice.PinLocked",
    "PatientDevice.BiometricsFailed",
    "PatientDevice.CertExpired",
    "PatientDevice.Revoked",
    "PatientDevice.CardRenewedNotReissued",
    "PatientDevice.NfcOff",
    "PatientDevice.Case",
    "PatientDevice.Position",
    "Card.NotRecognised",
    "Card.Other",
    "Site.ReaderUnplugged",
    "Site.UsbPower",
    "Site.Hub",
    "Site.ReaderOnMetal",
    "Site.TooFar",
    "Site.PairingNotSet",
    "Site.NotRestarted",
    "Site.SoftwareOutdated",
    "Site.FaceReaderDisconnected",
    "Site.UsbBlockedByPolicy",
    "Site.AppBlocked",
    "Network",
    "CentreOutage",
    "Timeout",
    "Eligibility.Invalid",
    "Eligibility.NotFound",
    "Unknown",
];

/// Stands for a cause that is not listed.
pub const OTHER_CAUSE: &str = "Unknown";

/// What the desk used instead. Another one is read as [`OTHER_FALLBACK`].
pub const FALLBACKS: &[&str] = &[
    "MynaPortalScreen",
    "SavedPdf",
    "PhysicalCard",
    "EligibilityCertificate",
    "EligibilityNoticeWithCard",
    "Declaration",
    "Other",
];

/// Stands for a fallback that is not listed.
pub const OTHER_FALLBACK: &str = "Other";

/// Whether `text` has the form of an error code of a result file. The codes are not published: those that are known are up to
/// 4 letters and then 1 to 5 digits. A longer run of digits may identify somebody.
#[must_use]
pub fn is_error_code(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    text.len() - digits.len() <= 4 && (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}
