//! The condition of the terminal and the entries of today, in words for people without computer knowledge.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use yomitori_observation::reader;
use yomitori_proto::vocabulary::{GapSource, ReaderRole};

use super::day::Day;
use super::entry;
use super::text::{self, Text};
use crate::condition::{Condition, ServerLink};

/// A certificate that expires this soon should have been renewed long ago.
const CERTIFICATE_SOON: TimeDelta = TimeDelta::days(7);
/// How long a reader that flapped is shown as unstable.
const FLAPS_FOR: TimeDelta = TimeDelta::minutes(30);
/// Up to this many observations wait only for a moment; they need no message.
const IN_PASSING: u64 = 20;
/// The number of entries that fit on the page.
const LISTED: usize = 50;

/// Whether linkage folders are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FolderCollection {
    Folders,
    /// The configuration has no folders or turns this off.
    NoFolders,
    /// The server has lowered the collection.
    Lowered,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConditionLevel {
    Good,
    /// Works, but should be checked.
    Warn,
    Bad,
    /// Turned off.
    Off,
}

/// The condition of one part of the terminal.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct ConditionRow {
    pub(super) level: ConditionLevel,
    pub(super) name: Text,
    pub(super) is: Text,
    /// What to do about it, or why nothing has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Text>,
}

#[derive(Serialize)]
struct EntryRow {
    seq: u64,
    at: String,
    #[serde(flatten)]
    text: Text,
    withdrawn: bool,
}

/// The answer to the page's regular request.
#[derive(Serialize)]
pub(super) struct State<'a> {
    token: &'a str,
    now: String,
    lines: Vec<ConditionRow>,
    entries: Vec<EntryRow>,
}

impl<'a> State<'a> {
    pub(super) fn new(token: &'a str, lines: Vec<ConditionRow>, day: &Day, now: DateTime<Utc>) -> Self {
        let entries = day.today(now).take(LISTED).filter_map(|entry| {
            let text = entry::label(&entry.event)?;
            Some(EntryRow { seq: entry.seq.0, at: text::clock(entry.at), text, withdrawn: entry.is_withdrawn })
        });
        Self { token, now: text::clock(now), lines, entries: entries.collect() }
    }
}

/// The rows that describe the condition of the terminal.
pub(super) fn lines(
    condition: &Condition,
    unsent: u64,
    collects: FolderCollection,
    now: DateTime<Utc>,
) -> Vec<ConditionRow> {
    let mut lines =
        vec![server(condition, unsent, now), phone_reader(condition, now), folders(condition, collects, now)];
    lines.extend(certificate(condition, now));
    lines.extend(clock(condition));
    lines
}

fn line(level: ConditionLevel, name: Text, is: Text, next: Option<Text>) -> ConditionRow {
    ConditionRow { level, name, is, next }
}

fn server(condition: &Condition, unsent: u64, now: DateTime<Utc>) -> ConditionRow {
    const NAME: Text = Text::fixed("センター", "Server");
    let since = match condition.server {
        ServerLink::Connected if unsent <= IN_PASSING => {
            return line(ConditionLevel::Good, NAME, Text::fixed("つながっています", "Connected"), None);
        }
        ServerLink::Connected => {
            let is = Text::new(format!("送信中（残り{unsent}件）"), format!("Sending, {unsent} to go"));
            return line(ConditionLevel::Good, NAME, is, None);
        }
        ServerLink::Refused { since } => {
            let at = text::when(since, now);
            let is = Text::new(
                format!("{}からこの端末は受け付けられていません", at.ja),
                format!("The server has refused this terminal since {}", at.en),
            );
            let next = Text::fixed(
                "使用終了・一時停止・失効のいずれかです。IT担当者に連絡してください。記録はこの端末に残ります。",
                "It was retired, suspended or revoked: contact your IT staff. Entries stay on this terminal.",
            );
            return line(ConditionLevel::Bad, NAME, is, Some(next));
        }
        ServerLink::Away { since } => since,
    };
    let is = match since {
        Some(at) => {
            let at = text::when(at, now);
            Text::new(format!("{}からつながりません", at.ja), format!("Not reachable since {}", at.en))
        }
        None => Text::fixed("まだつながっていません", "Not reached yet"),
    };
    let next = Text::new(
        format!(
            "記録はこの端末に残り、つながると自動で送られます（未送信{unsent}件）。続くときは回線を確認してください。"
        ),
        format!(
            "Entries stay on this terminal and are sent automatically once connected ({unsent} not sent). If this lasts, check the line."
        ),
    );
    line(ConditionLevel::Bad, NAME, is, Some(next))
}

fn phone_reader(condition: &Condition, now: DateTime<Utc>) -> ConditionRow {
    const NAME: Text = Text::fixed("スマホ用リーダー", "Reader for phones");
    if let Some(since) = blind(condition, GapSource::Pcsc) {
        let at = text::when(since, now);
        let is = Text::new(format!("{}から応答がありません", at.ja), format!("No answer since {}", at.en));
        let next = Text::fixed(
            "カードリーダーのサービスが止まっています。端末を再起動してください。",
            "The card reader service has stopped: restart the terminal.",
        );
        return line(ConditionLevel::Bad, NAME, is, Some(next));
    }
    let for_phones = condition.readers.values().find(|reader| reader.role == ReaderRole::Phone);
    if let Some(found) = for_phones {
        let model = found.model.as_deref().and_then(|id| reader::catalogue().iter().find(|model| model.id == id));
        if condition.flapped_at.is_some_and(|at| now - at < FLAPS_FOR) {
            let next = Text::fixed(
                "USBケーブルやハブの接続を確認し、別の差込口でも試してください。",
                "Check the USB cable and the hub, and try another port.",
            );
            return line(
                ConditionLevel::Warn,
                NAME,
                Text::fixed("接続が不安定です", "Unstable connection"),
                Some(next),
            );
        }
        let name = model.map(|model| model.name.as_str());
        let is = match name {
            Some(name) => Text::new(format!("使えます（{name}）"), format!("Ready ({name})")),
            None => Text::fixed("使えます", "Ready"),
        };
        return line(ConditionLevel::Good, NAME, is, None);
    }
    if condition.readers.values().any(|reader| reader.role == ReaderRole::Unknown) {
        let next = Text::fixed(
            "どのリーダーがスマホ用か設定されていません。情報システム担当に連絡してください。",
            "No reader is configured for phones: contact your IT staff.",
        );
        return line(ConditionLevel::Warn, NAME, Text::fixed("役割が未設定です", "Role not set"), Some(next));
    }
    if condition.is_blocked {
        let next = Text::fixed(
            "つながっていますが、USBの制限かドライバーの不足で使えません。情報システム担当に連絡してください。",
            "It is plugged in, but a restriction or a missing driver blocks it: contact your IT staff.",
        );
        return line(ConditionLevel::Bad, NAME, Text::fixed("使えません", "Blocked"), Some(next));
    }
    let next = Text::fixed(
        "リーダーのUSBケーブルを端末に差し直してください。",
        "Plug the reader's USB cable into the terminal again.",
    );
    line(ConditionLevel::Bad, NAME, Text::fixed("見つかりません", "Not found"), Some(next))
}

fn folders(condition: &Condition, collects: FolderCollection, now: DateTime<Utc>) -> ConditionRow {
    const NAME: Text = Text::fixed("連携フォルダ", "Linkage folder");
    match collects {
        FolderCollection::Folders => {}
        FolderCollection::NoFolders => {
            return line(ConditionLevel::Off, NAME, Text::fixed("見ない設定です", "Turned off"), None);
        }
        FolderCollection::Lowered => {
            let is = Text::fixed("センターの指定により見ていません", "Turned off by the server");
            return line(ConditionLevel::Off, NAME, is, None);
        }
    }
    let Some(since) = blind(condition, GapSource::Folder) else {
        return line(ConditionLevel::Good, NAME, Text::fixed("見えています", "Accessible"), None);
    };
    let at = text::when(since, now);
    let is = Text::new(format!("{}から開けません", at.ja), format!("Can't be opened since {}", at.en));
    let next = Text::fixed(
        "受付はそのまま続けられます。続くときは情報システム担当に連絡してください。",
        "Reception can continue as usual. If this lasts, contact your IT staff.",
    );
    line(ConditionLevel::Bad, NAME, is, Some(next))
}

/// Shown only if something has to be done.
fn certificate(condition: &Condition, now: DateTime<Utc>) -> Option<ConditionRow> {
    const NAME: Text = Text::fixed("端末の証明書", "Certificate");
    let until = condition.certified_until.filter(|until| *until - now < CERTIFICATE_SOON)?;
    let next = Text::fixed(
        "センターにつながると自動で更新されます。つながらないときは情報システム担当に連絡してください。",
        "It is renewed automatically once the server is reachable. If that does not happen, contact your IT staff.",
    );
    let at = text::when(until, now);
    Some(if until <= now {
        let is = Text::new(format!("{}に切れました", at.ja), format!("Expired {}", at.en));
        line(ConditionLevel::Bad, NAME, is, Some(next))
    } else {
        let is = Text::new(format!("{}に切れます", at.ja), format!("Expires {}", at.en));
        line(ConditionLevel::Warn, NAME, is, Some(next))
    })
}

/// Shown only if something has to be done.
fn clock(condition: &Condition) -> Option<ConditionRow> {
    const NAME: Text = Text::fixed("端末の時計", "Clock");
    let offset = condition.clock?;
    let next = Text::fixed(
        "この端末の日付と時刻を合わせてください。記録の時刻もずれています。",
        "Set the date and time of this terminal. The times of its records are wrong too.",
    );
    Some(line(ConditionLevel::Bad, NAME, Text::new(offset.ja(), offset.en()), Some(next)))
}

fn blind(condition: &Condition, source: GapSource) -> Option<DateTime<Utc>> {
    condition.blind.iter().filter(|(blind, _)| *blind == source).map(|(_, since)| *since).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{ConditionBoard, Reader};
    use yomitori_proto::id::ReaderKey;

    fn now() -> DateTime<Utc> {
        "2026-04-02T01:30:00Z".parse().unwrap()
    }

    fn shown(change: impl FnOnce(&mut Condition)) -> Vec<(ConditionLevel, String)> {
        let mut condition = ConditionBoard::default().condition();
        change(&mut condition);
        lines(&condition, 300, FolderCollection::Folders, now())
            .into_iter()
            .map(|line| (line.level, line.is.ja.into_owned()))
            .collect()
    }

    #[test]
    fn it_shows_what_works_and_since_when_something_does_not() {
        let away = |since: &str| ServerLink::Away { since: Some(since.parse().unwrap()) };
        let of = |role| Reader { model: Some("sony-rc-s300".to_owned()), role };
        assert_eq!(
            shown(|_| {}),
            [
                (ConditionLevel::Bad, "まだつながっていません".to_owned()),
                (ConditionLevel::Bad, "見つかりません".to_owned()),
                (ConditionLevel::Good, "見えています".to_owned()),
            ]
        );
        assert_eq!(
            shown(|condition| {
                condition.server = away("2026-04-02T00:12:00Z");
                condition.readers.insert(ReaderKey(1), of(ReaderRole::Unknown));
                condition.blind = vec![(GapSource::Folder, now()), (GapSource::Folder, now() - TimeDelta::hours(12))];
                condition.certified_until = Some(now() - TimeDelta::hours(1));
            }),
            [
                (ConditionLevel::Bad, "09:12からつながりません".to_owned()),
                (ConditionLevel::Warn, "役割が未設定です".to_owned()),
                (ConditionLevel::Bad, "4月1日 22:30から開けません".to_owned()),
                (ConditionLevel::Bad, "09:30に切れました".to_owned()),
            ]
        );
        let refused = shown(|condition| condition.server = ServerLink::Refused { since: now() });
        assert_eq!(refused[0].0, ConditionLevel::Bad);
        assert!(refused[0].1.ends_with("からこの端末は受け付けられていません"), "{refused:?}");
        assert_eq!(
            shown(|condition| {
                condition.server = ServerLink::Connected;
                condition.readers.insert(ReaderKey(1), of(ReaderRole::Unknown));
                condition.readers.insert(ReaderKey(2), of(ReaderRole::Phone));
                condition.certified_until = Some(now() + TimeDelta::days(20));
            }),
            [
                (ConditionLevel::Good, "送信中（残り300件）".to_owned()),
                (ConditionLevel::Good, "使えます（Sony RC-S300）".to_owned()),
                (ConditionLevel::Good, "見えています".to_owned()),
            ]
        );
    }
}
