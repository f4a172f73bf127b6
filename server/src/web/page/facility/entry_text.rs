//! A fact as a line of the timeline: a title, the details, and the level of evidence that it has on its own.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use yomitori_facility::{Cause, FaceReaderModel, Fallback, Level, ReaderStatus, Text, Word as _};
use yomitori_proto::event::{Event, TapObserved};
use yomitori_proto::id::{ReaderKey, TerminalId};
use yomitori_proto::vocabulary::{
    ComponentState, DisconnectReason, GapSource, LinkageKind, ReadOutcome, ReaderRole, RebootKind,
};

use crate::web::http::lang::Lang;
use crate::web::page::when;
use crate::web::page::word;

/// A line of the timeline.
pub(super) struct EntryText {
    pub(super) title: Text,
    pub(super) details: Vec<Text>,
    /// The level of evidence that the fact has on its own.
    pub(super) level: Option<Level>,
}

/// The groups of kinds of facts, with the key of each choice.
pub(super) const READS: [&str; 6] = [
    "tap_observed",
    "linkage_result_observed",
    "smartphone_read_attested",
    "smartphone_read_failed",
    "fallback_used",
    "entry_withdrawn",
];
pub(super) const PEOPLE: [&str; 25] = [
    "smartphone_read_attested",
    "smartphone_read_failed",
    "facility_registered",
    "facility_code_changed",
    "terminal_retired",
    "terminal_suspended",
    "terminal_resumed",
    "terminal_revoked",
    "reader_role_assigned",
    "face_reader_model_set",
    "reader_purchased",
    "reception_arranged",
    "listing_intent_set",
    "opt_out_call_planned",
    "opt_out_call_made",
    "opt_out_acknowledged",
    "opt_out_withdrawn",
    "alert_acknowledged",
    "alert_snoozed",
    "maintenance_window_set",
    "record_skipped",
    "collection_limited",
    "statement_withdrawn",
    "notice_hung",
    "face_reader_restarted",
];
pub(super) const DEVICES: [&str; 20] = [
    "agent_started",
    "agent_stopped",
    "terminal_rebooted",
    "clock_stepped",
    "software_versions_observed",
    "component_state_observed",
    "reader_attached",
    "reader_detached",
    "reader_flapping",
    "reader_blocked",
    "collection_gap",
    "settings_taken",
    "unknown_kind",
    "face_reader_restarted",
    "terminal_enrolled",
    "terminal_retired",
    "terminal_suspended",
    "terminal_resumed",
    "terminal_revoked",
    "reader_role_assigned",
];
pub(super) const CONNECTIONS: [&str; 2] = ["terminal_connected", "terminal_disconnected"];

/// The mark of a kind of fact in the margin.
pub(super) fn family(kind: &str) -> &'static str {
    if READS.contains(&kind) {
        "read"
    } else if CONNECTIONS.contains(&kind) {
        "line"
    } else if DEVICES.contains(&kind) {
        "device"
    } else {
        "person"
    }
}

fn at(instant: DateTime<Utc>) -> Text {
    let clock = when::minute(instant);
    Text::new(clock.clone(), clock)
}

fn flag(key: &str) -> Text {
    Text::new(word::flag_label(Lang::Ja, key), word::flag_label(Lang::En, key))
}

fn plain(text: impl Into<String>) -> Text {
    let text = text.into();
    Text::new(text.clone(), text)
}

/// This many digits distinguish the terminals of one facility.
pub(super) fn short(terminal: TerminalId) -> String {
    terminal.to_string().chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect()
}

/// The part of the agent that collected nothing.
pub(super) fn collected_by(source: GapSource) -> Text {
    match source {
        GapSource::Pcsc => Text::fixed("リーダー監視", "reader watch"),
        GapSource::Folder => Text::fixed("フォルダ監視", "folder watch"),
        GapSource::Spool => Text::fixed("保管領域", "spool"),
        GapSource::Unknown => Text::fixed("不明", "unknown"),
    }
}

fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> Text {
    plain(format!("{} – {}", when::minute(from), when::minute(to)))
}

fn happening(ja: &'static str, en: &'static str, details: Vec<Text>) -> EntryText {
    EntryText { title: Text::fixed(ja, en), details, level: None }
}

impl EntryText {
    pub(super) fn of(event: &Event, readers: &[ReaderStatus]) -> Self {
        Self::read(event, readers).or_else(|| Self::device(event, readers)).unwrap_or_else(|| Self::statement(event))
    }

    fn read(event: &Event, readers: &[ReaderStatus]) -> Option<Self> {
        Some(match event {
            Event::TapObserved(tap) => tapped(tap, readers),
            Event::LinkageResultObserved(result) => {
                let (title, en) = match result.kind {
                    LinkageKind::FaceResult => ("顔認証の結果ファイル", "Result file of the face reader"),
                    LinkageKind::SingleResult => ("資格確認の結果ファイル", "Result file of one check"),
                    LinkageKind::BatchResult => ("一括照会の結果ファイル", "Result file of a batch"),
                    LinkageKind::Other | LinkageKind::Unknown => ("その他のファイル", "Another file"),
                };
                let outcome = match result.outcome {
                    ReadOutcome::Ok => Some(Text::fixed("正常終了", "succeeded")),
                    ReadOutcome::Error => Some(Text::fixed("エラー", "failed")),
                    ReadOutcome::InProgress => Some(Text::fixed("処理中", "in progress")),
                    ReadOutcome::Unreadable => Some(Text::fixed("読み取れず", "unreadable")),
                    ReadOutcome::NotRead => Some(Text::fixed("名前と時刻のみ", "name and time only")),
                    ReadOutcome::Unknown => None,
                };
                happening(title, en, outcome.into_iter().chain(result.error_code.clone().map(plain)).collect())
            }
            Event::SmartphoneReadAttested(read) => {
                let test = read.test.then(|| Text::fixed("技術者のテスト", "a technician's test"));
                let details = [Some(read.os.label()), test, Some(at(read.read_at))].into_iter().flatten().collect();
                let text = happening("スマホの読み取りを確認", "A person confirmed a read", details);
                Self { level: Some(Level::Attested), ..text }
            }
            Event::SmartphoneReadFailed(failed) => {
                let cause = Cause::of(&failed.cause).map_or_else(|| plain(&failed.cause), Cause::sentence);
                happening("スマホを読み取れず", "A phone was not read", vec![cause, at(failed.read_at)])
            }
            Event::FallbackUsed(used) => {
                let what = Fallback::of(&used.fallback).map_or_else(|| plain(&used.fallback), Fallback::label);
                happening("代わりの方法で確認", "Another way was used instead", vec![what])
            }
            Event::EntryWithdrawn(entry) => {
                happening("入力を取り消し", "An entry was withdrawn", vec![plain(format!("#{}", entry.seq))])
            }
            _ => return None,
        })
    }

    fn device(event: &Event, readers: &[ReaderStatus]) -> Option<Self> {
        let reader = |key: ReaderKey| reader_name(key, readers);
        Some(match event {
            Event::AgentStarted(started) => {
                happening("エージェント起動", "Agent started", vec![plain(format!("v{}", started.agent_version))])
            }
            Event::AgentStopped(_) => happening("エージェント停止", "Agent stopped", Vec::new()),
            Event::TerminalRebooted(rebooted) => {
                let how = match rebooted.kind {
                    RebootKind::Clean => vec![Text::fixed("正常", "clean")],
                    RebootKind::Unexpected => vec![Text::fixed("予期しない再起動", "unexpected")],
                    RebootKind::Unknown => Vec::new(),
                };
                happening("端末が再起動", "Terminal restarted", how)
            }
            Event::ClockStepped(step) => {
                let seconds = plain(format!(
                    "{:+.1} s",
                    std::time::Duration::from_millis(step.delta_ms.unsigned_abs()).as_secs_f64()
                        * if step.delta_ms < 0 { -1.0 } else { 1.0 }
                ));
                happening("端末の時計が変更", "Terminal's clock was changed", vec![seconds])
            }
            Event::SoftwareVersionsObserved(seen) => {
                let versions = [&seen.com_app, &seen.distro_app, &seen.auth, &seen.os_build];
                happening("ソフトウェアの版", "Software versions", versions.into_iter().flatten().map(plain).collect())
            }
            Event::ComponentStateObserved(seen) => {
                let state = match seen.state {
                    ComponentState::Running => Text::fixed("動作中", "running"),
                    ComponentState::Stopped => Text::fixed("停止", "stopped"),
                    ComponentState::Missing => Text::fixed("なし", "missing"),
                    ComponentState::Unknown => Text::fixed("不明", "unknown"),
                };
                happening("ソフトウェアの状態", "State of a program", vec![seen.component.label(), state])
            }
            Event::ReaderAttached(attached) => {
                let model = attached.model.clone().map(plain);
                let role = (attached.role != ReaderRole::Unknown).then(|| attached.role.label());
                let name = model.unwrap_or_else(|| reader(attached.reader));
                happening("リーダー接続", "Reader attached", [Some(name), role].into_iter().flatten().collect())
            }
            Event::ReaderDetached(gone) => happening("リーダー取り外し", "Reader detached", vec![reader(gone.reader)]),
            Event::ReaderFlapping(flapping) => {
                let count = Text::new(format!("{}回", flapping.count), format!("{} times", flapping.count));
                happening(
                    "リーダーの接続が不安定",
                    "Reader connection is unstable",
                    vec![reader(flapping.reader), count],
                )
            }
            Event::ReaderBlocked(blocked) => {
                let device = plain(format!("{:04x}:{:04x}", blocked.vid, blocked.pid));
                happening("リーダーが制限されている", "Reader is blocked", vec![device])
            }
            Event::CollectionGap(gap) => {
                let source = collected_by(gap.source);
                let span = plain(format!("{} – {}", when::minute(gap.from), when::minute(gap.to)));
                let lost = gap.lost.map(|lost| Text::new(format!("{lost}件を失う"), format!("{lost} lost")));
                let details = [Some(source), Some(span), lost].into_iter().flatten().collect();
                happening("記録できなかった期間", "Nothing was collected", details)
            }
            Event::SettingsTaken(taken) => happening(
                "収集範囲の指定を受け取った",
                "Collection limit received",
                vec![taken.outcome.label(), taken.collection.label()],
            ),
            Event::UnknownKind(unknown) => {
                let number = Text::new(format!("種類{}番", unknown.number), format!("kind {}", unknown.number));
                let later = Text::fixed(
                    "内容はサーバーの更新後に表示されます",
                    "its content is shown after the server is updated",
                );
                happening("このサーバーが知らない種類の記録", "Observation of a kind unknown here", vec![number, later])
            }
            Event::FaceReaderRestarted(restarted) => {
                happening("顔認証リーダーを再起動", "Face reader restarted", vec![at(restarted.restarted_at)])
            }
            Event::TerminalConnected(connected) => {
                happening("端末が接続", "Terminal connected", vec![plain(format!("v{}", connected.agent_version))])
            }
            Event::TerminalDisconnected(gone) => {
                let why = match gone.reason {
                    DisconnectReason::Closed => Text::fixed("正常終了", "closed"),
                    DisconnectReason::Lost => Text::fixed("通信断", "lost"),
                    DisconnectReason::InstanceLost => Text::fixed("サーバー側の交代", "the server instance was lost"),
                    DisconnectReason::Revoked => Text::fixed("サーバーが受け付けを停止", "the server refuses it"),
                    DisconnectReason::Unknown => Text::fixed("不明", "unknown"),
                };
                happening("端末が切断", "Terminal disconnected", vec![why])
            }
            Event::TerminalEnrolled(enrolled) => {
                happening("端末を登録", "Terminal enrolled", vec![plain(short(enrolled.terminal))])
            }
            Event::TerminalRetired(retired) => {
                happening("端末の使用終了", "Terminal retired", vec![plain(short(retired.terminal))])
            }
            Event::TerminalSuspended(suspended) => {
                happening("端末を一時停止", "Terminal suspended", vec![plain(short(suspended.terminal))])
            }
            Event::TerminalResumed(resumed) => {
                happening("端末の一時停止を解除", "Terminal resumed", vec![plain(short(resumed.terminal))])
            }
            Event::TerminalRevoked(revoked) => {
                happening("端末の証明書を失効", "Terminal revoked", vec![plain(short(revoked.terminal))])
            }
            Event::ReaderRoleAssigned(assigned) => {
                let details = vec![reader(assigned.reader), assigned.role.label()];
                happening("リーダーの用途を設定", "Role of a reader set", details)
            }
            _ => return None,
        })
    }

    fn statement(event: &Event) -> Self {
        match event {
            Event::FacilityRegistered(registered) => {
                let codes = registered.codes.iter().map(plain);
                happening(
                    "施設を登録",
                    "Facility registered",
                    [plain(&registered.name)].into_iter().chain(codes).collect(),
                )
            }
            Event::FacilityCodeChanged(changed) => {
                let code = |code: &Option<String>| code.clone().unwrap_or_else(|| "—".to_owned());
                let codes = plain(format!("{} → {}", code(&changed.old), code(&changed.new)));
                happening("医療機関コードの変更", "Institution code changed", vec![codes, at(changed.effective_at)])
            }
            Event::FaceReaderModelSet(set) => {
                let known = FaceReaderModel::of(&set.model).map(|model| plain(&model.name));
                let details = vec![known.unwrap_or_else(|| plain(&set.model)), set.phone_native.label()];
                happening("顔認証リーダーの機種を設定", "Face reader model set", details)
            }
            Event::ReaderPurchased(bought) => happening("機器を購入", "Bought", vec![bought.item.label()]),
            Event::ReceptionArranged(arranged) => {
                happening("受付の準備が完了", "Reception desk ready", vec![at(arranged.arranged_at)])
            }
            Event::NoticeHung(hung) => happening("掲示", "Notice put up", vec![hung.notice.label(), at(hung.hung_at)]),
            Event::ListingIntentSet(set) => happening("掲載の意向", "Listing intent", vec![set.intent.label()]),
            Event::OptOutCallPlanned(planned) => {
                happening("申出の電話を予定", "Opt-out call planned", vec![at(planned.planned_at)])
            }
            Event::OptOutCallMade(made) => {
                let reference = made
                    .reference
                    .as_ref()
                    .map(|number| Text::new(format!("受付番号 {number}"), format!("reference {number}")));
                let details = [Some(at(made.called_at)), reference].into_iter().flatten().collect();
                happening("申出の電話をかけた", "Opt-out call made", details)
            }
            Event::OptOutAcknowledged(stated) => {
                happening("申出の受付を確認", "Opt-out confirmed", vec![at(stated.acknowledged_at)])
            }
            Event::OptOutWithdrawn(stated) => {
                happening("申出を取り下げ", "Opt-out withdrawn", vec![at(stated.withdrawn_at)])
            }
            Event::AlertAcknowledged(seen) => {
                happening("要確認の項目を確認", "Flag acknowledged", vec![flag(&seen.flag)])
            }
            Event::AlertSnoozed(snoozed) => {
                happening("要確認の項目を保留", "Flag snoozed", vec![flag(&snoozed.flag), at(snoozed.until)])
            }
            Event::MaintenanceWindowSet(window) => {
                happening("保守の予定", "Maintenance planned", vec![span(window.from, window.to)])
            }
            Event::RecordSkipped(skipped) => {
                let place = plain(format!("{}:{}", skipped.partition, skipped.offset));
                happening("処理できない記録を除外", "Record skipped", vec![place])
            }
            Event::StatementWithdrawn(_) => happening("記録の取り消し", "Statement withdrawn", Vec::new()),
            Event::CollectionLimited(limited) => {
                happening("収集する範囲を指定", "Collection limit set", vec![limited.most.label()])
            }
            Event::RulesAdopted(adopted) => {
                let version = Text::new(format!("第{}版", adopted.version), format!("version {}", adopted.version));
                happening("判定のルールを採用", "Rules adopted", vec![version])
            }
            Event::ClosureSet(closed) => {
                happening("休業", "Closed", vec![closed.closes.label(), span(closed.from, closed.to)])
            }
            Event::ListingObserved(seen) => {
                let listed = if seen.listed {
                    Text::fixed("掲載あり", "listed")
                } else {
                    Text::fixed("掲載なし", "not listed")
                };
                happening("公表リスト", "Public list", vec![listed, at(seen.as_of)])
            }
            Event::SnapshotImported(taken) => {
                let (source, rows) = (plain(taken.source.clone()), plain(taken.rows.to_string()));
                happening("公表リストを取り込み", "Public list imported", vec![source, rows, at(taken.as_of)])
            }
            Event::SnapshotReleased(_) => happening("保留中のリストを承認", "Quarantined list released", Vec::new()),
            Event::ListRowDismissed(row) => {
                happening("リストの行を対象外に", "Row of the list dismissed", vec![plain(row.code.clone())])
            }
            other => Self { title: plain(other.kind()), details: Vec::new(), level: None },
        }
    }

    pub(super) fn details(&self, lang: Lang) -> Markup {
        html! { @for (place, detail) in self.details.iter().enumerate() { @if place > 0 { " · " } (lang.one(detail)) } }
    }
}

fn tapped(tap: &TapObserved, readers: &[ReaderStatus]) -> EntryText {
    let role = readers.iter().find(|reader| reader.key == tap.reader).map(|reader| reader.role).unwrap_or_default();
    let for_phones = role == ReaderRole::Phone;
    let seconds = std::time::Duration::from_millis(tap.present_ms.into()).as_secs_f64();
    let mut details = vec![reader_name(tap.reader, readers)];
    // The medium is a guess from the card's answer; on the reader for phones, the phone's chip answers.
    if !for_phones {
        details.extend([role.label(), tap.medium.label()]);
    }
    details.push(Text::new(format!("{seconds:.1}秒"), format!("{seconds:.1} s")));
    if tap.mute {
        details.push(Text::fixed("応答なし", "no response"));
    }
    if tap.in_use {
        details.push(Text::fixed("公式ソフトが使用", "used by the official software"));
    }
    let title = if for_phones {
        Text::fixed("スマホ用リーダーへのタップ", "Tap on the phone reader")
    } else {
        Text::fixed("リーダーへのタップ", "Tap on a reader")
    };
    EntryText { title, details, level: for_phones.then_some(Level::TapOnly) }
}

fn reader_name(key: ReaderKey, readers: &[ReaderStatus]) -> Text {
    let model = readers.iter().find(|reader| reader.key == key).and_then(|reader| reader.model.clone());
    plain(model.unwrap_or_else(|| key.to_string()))
}
