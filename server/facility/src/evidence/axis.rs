//! The evidence axis and what follows from it for the ministry's list.

use chrono::{DateTime, Utc};
use serde::Serialize;
use yomitori_proto::vocabulary::PhoneNative;

use super::Level;
use super::tally::Tally;
use crate::text::{Axis, Text, Word};
use crate::view::View;
use crate::word::words;

/// What was seen of phones being read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Evidence {
    /// The face reader reads phones by itself: taps can't be seen here.
    NotObservable,
    /// Nothing was seen, and it would have been.
    Never,
    AttemptedOnly {
        first_at: DateTime<Utc>,
        last_at: DateTime<Utc>,
        attempts: u32,
    },
    Succeeded {
        level: Level,
        first_success_at: DateTime<Utc>,
        last_success_at: DateTime<Utc>,
        count: u32,
        count_30d: u32,
        /// Reads that a technician made as a test: they count, the authority can't tell.
        tests: u32,
        /// Strongest first.
        by_level: Vec<LevelCount>,
    },
}

/// The reads of one level.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LevelCount {
    pub level: Level,
    pub count: u32,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
}

/// Whether the facility should be on the list by what was seen here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Eligible {
    Eligible { since: DateTime<Utc>, level: Level },
    NotYet,
    NotObservable,
}

words! {
    Evidence {
        NotObservable = "not_observable", "ここでは観測できない", "not observable here";
        Never = "never", "読み取りなし", "no read seen";
        AttemptedOnly = "attempted_only", "タップのみ（成功未確認）", "taps only";
        Succeeded = "succeeded", "読み取り成功", "succeeded";
    }
    Eligible {
        Eligible = "eligible", "掲載対象（読み取り成功）", "eligible";
        NotYet = "not_yet", "まだ対象外", "not yet";
        NotObservable = "not_observable", "ここでは観測できない", "not observable here";
    }
}

/// All reads of a facility.
pub(crate) struct Total {
    tally: Tally,
    /// The first read that sufficed.
    pub(crate) sufficed_at: Option<DateTime<Utc>>,
}

impl View<'_> {
    pub(crate) fn total(&self) -> Total {
        let mut tally = self.facility.desk.tally(self.rules);
        for terminal in self.facility.terminals.values() {
            tally.merge(&terminal.tally(self.rules));
        }
        Total { sufficed_at: tally.sufficed_at(), tally }
    }

    pub(crate) fn evidence(&self, total: &Total) -> Axis<Evidence> {
        let tally = &total.tally;
        let native = self.facility.phone_native() == PhoneNative::Yes;
        let evidence = match (tally.reads(), tally.best(), tally.level(Level::TapOnly)) {
            (Some(reads), Some(level), _) => Evidence::Succeeded {
                level,
                first_success_at: reads.first_at,
                last_success_at: reads.last_at,
                count: reads.count,
                count_30d: tally.recent(|at| self.passed(at)),
                tests: tally.tests,
                by_level: by_level(tally),
            },
            _ if native => Evidence::NotObservable,
            (_, _, Some(taps)) => {
                Evidence::AttemptedOnly { first_at: taps.first_at, last_at: taps.last_at, attempts: taps.count }
            }
            _ => Evidence::Never,
        };
        let why = self.evidence_why(&evidence, tally.too_early);
        Axis::new(evidence, why)
    }

    fn evidence_why(&self, evidence: &Evidence, too_early: u32) -> Text {
        let why = match evidence {
            Evidence::NotObservable => Text::fixed(
                "顔認証付きカードリーダー自体がスマートフォンを読むため、タップはここから見えません。成功は担当者の確認かリストで分かります。",
                "The face reader reads phones by itself, so taps can't be seen from here; a person or the list can tell.",
            ),
            Evidence::Never if self.terminals().all(|terminal| terminal.heard_at.is_none()) => {
                Text::fixed("まだどの端末からも記録が届いていません。", "No terminal has reported anything yet.")
            }
            Evidence::Never => Text::fixed(
                "スマートフォン用リーダーでのタップはまだ記録されていません。",
                "No tap on a phone reader has been seen yet.",
            ),
            Evidence::AttemptedOnly { attempts, last_at, .. } => {
                let at = self.minute(*last_at);
                Text::new(
                    format!("タップは{attempts}回ありましたが（最後は{at}）、対応する結果ファイルがありません。"),
                    format!(
                        "{attempts} taps were seen (the last at {at}), none with a result file that belongs to it."
                    ),
                )
            }
            Evidence::Succeeded { level, first_success_at, last_success_at, count, .. } => {
                let (first, last) = (self.minute(*first_success_at), self.minute(*last_success_at));
                let label = level.label();
                Text::new(
                    format!("{count}回成功しました（最初は{first}、最後は{last}）。最も強い根拠: {}。", label.ja),
                    format!("{count} reads succeeded (first {first}, last {last}); strongest evidence: {}.", label.en),
                )
            }
        };
        if too_early == 0 {
            return why;
        }
        let since = self.date(self.set.counts_since);
        why.then(&Text::new(
            format!("{since}より前の{too_early}回は数えません。"),
            format!("{too_early} before {since} don't count."),
        ))
    }

    pub(crate) fn eligible(&self, total: &Total) -> Axis<Eligible> {
        let suffices = self.set.level_that_suffices.label();
        match total.sufficed_at.zip(total.tally.best()) {
            Some((since, level)) => {
                let (at, label) = (self.minute(since), level.label());
                let why = Text::new(
                    format!("{at}の読み取り成功により、リスト掲載の対象です（根拠: {}）。", label.ja),
                    format!(
                        "A read succeeded at {at}, so the ministry will list the facility (evidence: {}).",
                        label.en
                    ),
                );
                Axis::new(Eligible::Eligible { since, level }, why)
            }
            None if self.facility.phone_native() == PhoneNative::Yes => Axis::new(
                Eligible::NotObservable,
                Text::fixed(
                    "この機種では読み取りがここから見えないため、すでに成功している可能性があります。",
                    "With this face reader reads can't be seen from here; one may have succeeded already.",
                ),
            ),
            None => Axis::new(
                Eligible::NotYet,
                Text::new(
                    format!("必要な根拠（{}）のある読み取りがまだありません。", suffices.ja),
                    format!("No read with the evidence that is needed ({}) has been seen.", suffices.en),
                ),
            ),
        }
    }
}

fn by_level(tally: &Tally) -> Vec<LevelCount> {
    let levels = Level::ALL.into_iter().rev();
    levels
        .filter_map(|level| {
            let count = tally.level(level)?;
            Some(LevelCount { level, count: count.count, first_at: count.first_at, last_at: count.last_at })
        })
        .collect()
}
