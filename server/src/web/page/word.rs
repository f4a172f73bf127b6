//! The labels of the words in a row's columns: a short text, and whether it needs attention.
//!
//! The facility page shows the longer labels and reasons of the status itself.

use maud::{Markup, html};
use yomitori_facility::{Flag, Severity, Text, Word as _};

use crate::store::fleet::Axis;
use crate::web::http::lang::Lang;

/// The tone of a word. Each has a sign too, because colour must not be the only carrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::web) enum Tone {
    Good,
    Bad,
    Warn,
    Info,
    /// Nothing to do.
    Quiet,
    /// The value cannot be known.
    Unknown,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Quiet => "quiet",
            Self::Unknown => "unknown",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Bad => "✕",
            Self::Warn => "!",
            Self::Info => "›",
            Self::Quiet => "–",
            Self::Unknown => "?",
        }
    }
}

/// One value of an axis.
pub(in crate::web) struct Word {
    pub(in crate::web) key: &'static str,
    pub(in crate::web) label: Text,
    pub(in crate::web) tone: Tone,
}

const fn word(key: &'static str, tone: Tone, ja: &'static str, en: &'static str) -> Word {
    Word { key, label: Text::fixed(ja, en), tone }
}

use Tone::{Bad, Good, Info, Quiet, Unknown, Warn};

static ELIGIBLE: [Word; 3] = [
    word("eligible", Good, "掲載条件を満たす", "Eligible"),
    word("not_yet", Quiet, "まだ満たさない", "Not yet"),
    word("not_observable", Unknown, "観測不可", "Not observable"),
];
static EVIDENCE: [Word; 5] = [
    word("succeeded", Good, "読み取り成功", "Succeeded"),
    word("plausible", Warn, "成功の可能性あり", "May have succeeded"),
    word("attempted_only", Warn, "タップのみ", "Taps only"),
    word("never", Quiet, "読み取りなし", "No read seen"),
    word("not_observable", Unknown, "ここでは観測できない", "Not observable here"),
];
static LEVEL: [Word; 5] = [
    word("tap_only", Warn, "タップのみ", "Tap only"),
    word("plausible", Warn, "可能性あり", "Plausible"),
    word("correlated", Good, "結果ファイルと対応", "Correlated"),
    word("header_confirmed", Good, "結果で確認", "Header confirmed"),
    word("attested", Good, "担当者が確認", "Attested"),
];
static OPT_OUT: [Word; 7] = [
    word("not_needed", Quiet, "電話不要", "No call needed"),
    word("needed", Bad, "要電話", "Call needed"),
    word("planned", Warn, "電話予定", "Call planned"),
    word("called", Info, "電話済み", "Called"),
    word("acknowledged", Info, "受付済み", "Confirmed"),
    word("reflected", Good, "反映済み", "Reflected"),
    word("withdrawn", Quiet, "取り下げ", "Withdrawn"),
];
static INTENT: [Word; 3] = [
    word("want_listed", Info, "掲載を希望", "Wants listing"),
    word("do_not_want", Warn, "掲載を希望しない", "Opts out"),
    word("undecided", Quiet, "未定", "Undecided"),
];
static LISTING: [Word; 5] = [
    word("listed", Info, "掲載中", "Listed"),
    word("not_listed", Quiet, "未掲載", "Not listed"),
    word("delisted", Warn, "掲載終了", "Delisted"),
    word("ambiguous", Unknown, "判定できない", "Ambiguous"),
    word("unknown", Unknown, "リスト未取得", "No list"),
];
static EQUIPMENT: [Word; 6] = [
    word("ready", Good, "準備完了", "Ready"),
    word("incomplete", Warn, "準備中", "Incomplete"),
    word("degraded", Warn, "不具合あり", "Degraded"),
    word("offline", Bad, "端末が応答なし", "Offline"),
    word("none", Quiet, "リーダーなし", "No reader"),
    word("unknown", Unknown, "不明", "Unknown"),
];
static FRESHNESS: [Word; 5] = [
    word("fresh", Good, "最新", "Fresh"),
    word("gap", Warn, "欠落あり", "Gap"),
    word("stale", Warn, "古い", "Stale"),
    word("silent", Bad, "途絶", "Silent"),
    word("waiting", Unknown, "記録待ち", "Waiting"),
];

/// The words of an axis.
pub(in crate::web) fn of(axis: Axis) -> &'static [Word] {
    match axis {
        Axis::Eligible => &ELIGIBLE,
        Axis::Evidence => &EVIDENCE,
        Axis::Level => &LEVEL,
        Axis::OptOut => &OPT_OUT,
        Axis::Intent => &INTENT,
        Axis::Listing => &LISTING,
        Axis::Equipment => &EQUIPMENT,
        Axis::Freshness => &FRESHNESS,
    }
}

/// The word of a key; `None` for a key of a newer projector.
pub(in crate::web) fn find(axis: Axis, key: &str) -> Option<&'static Word> {
    of(axis).iter().find(|word| word.key == key)
}

/// The label of a word on its own.
pub(in crate::web) fn label(lang: Lang, axis: Axis, key: &str) -> String {
    find(axis, key).map_or_else(|| key.to_owned(), |word| lang.one(&word.label).to_owned())
}

/// The label of a flag on its own.
pub(in crate::web) fn flag_label(lang: Lang, key: &str) -> String {
    key.parse::<Flag>().map_or_else(|_| key.to_owned(), |flag| capital(lang.one(&flag.label())))
}

/// Capitalises a label: those of the facility crate are written for use in a sentence.
pub(in crate::web) fn capital(label: &str) -> String {
    let mut rest = label.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// Draws a word with its sign.
pub(in crate::web) fn chip(lang: Lang, axis: Axis, key: &str) -> Markup {
    sign(find(axis, key).map_or(Unknown, |word| word.tone), &label(lang, axis, key))
}

/// Draws a flag with the sign of the flag's own severity.
pub(in crate::web) fn flag(lang: Lang, key: &str) -> Markup {
    let tone = key.parse::<Flag>().map_or(Warn, |flag| severity_tone(flag.severity()));
    sign(tone, &flag_label(lang, key))
}

/// The tone of a severity.
pub(in crate::web) const fn severity_tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Bad,
        Severity::Warning => Warn,
        Severity::Task => Info,
    }
}

/// The label of a severity.
pub(in crate::web) fn severity(lang: Lang, severity: Severity) -> String {
    capital(lang.one(&severity.label()))
}

/// The most urgent first.
pub(in crate::web) const SEVERITIES: [Severity; 3] = [Severity::Critical, Severity::Warning, Severity::Task];

/// Draws a text with a sign.
pub(in crate::web) fn sign(tone: Tone, text: &str) -> Markup {
    html! {
        span class=(format!("chip {}", tone.class())) { span.sign aria-hidden="true" { (tone.sign()) } (text) }
    }
}

/// Draws the ladder of evidence in five steps. "Not observable here" looks different from "never".
pub(in crate::web) fn meter(evidence: &str, level: Option<&str>) -> Markup {
    let reached = level.or((evidence == "attempted_only").then_some("tap_only"));
    let steps = reached.and_then(|level| LEVEL.iter().position(|word| word.key == level)).map_or(0, |at| at + 1);
    let blind = evidence == "not_observable" && steps == 0;
    html! {
        span class={ "meter" @if blind { " blind" } } aria-hidden="true" {
            @for step in 1..=LEVEL.len() { i class=[(step <= steps).then_some("on")] {} }
        }
    }
}
