//! The evidence axis, and the eligibility for the ministry's list that follows from it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::vocabulary::PhoneNative;

use super::{Doubt, Level, Total};
use crate::text::{Axis, Text, Word};
use crate::view::View;
use crate::word::words;

/// The evidence axis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Evidence {
    /// The face reader reads phones by itself, so taps can't be observed here.
    NotObservable,
    /// No tap was seen, although taps are observable.
    Never,
    AttemptedOnly {
        first_at: DateTime<Utc>,
        last_at: DateTime<Utc>,
        attempts: u32,
    },
    /// Reads may have succeeded, but something else explains the observations too.
    Plausible {
        level: Level,
        first_at: DateTime<Utc>,
        last_at: DateTime<Utc>,
        plausible: u32,
        /// The doubts about the attempts that are kept individually, the most frequent first.
        doubts: Vec<DoubtCount>,
        /// Strongest first.
        by_level: Vec<LevelCount>,
    },
    Succeeded {
        level: Level,
        first_success_at: DateTime<Utc>,
        last_success_at: DateTime<Utc>,
        /// Reads of level `correlated` and above.
        count: u32,
        count_30d: u32,
        /// A technician's test reads. They count, because the authority can't distinguish them.
        tests: u32,
        /// Strongest first.
        by_level: Vec<LevelCount>,
    },
}

impl Evidence {
    /// The strongest level that was seen, where something was.
    pub(crate) const fn level(&self) -> Option<Level> {
        match self {
            Self::Succeeded { level, .. } | Self::Plausible { level, .. } => Some(*level),
            Self::AttemptedOnly { .. } | Self::Never | Self::NotObservable => None,
        }
    }
}

/// The reads of one level.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LevelCount {
    pub level: Level,
    pub count: u32,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
}

/// The number of reads with a certain doubt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DoubtCount {
    pub doubt: Doubt,
    pub label: Text,
    pub count: u32,
}

/// Whether the facility qualifies for the list, by local evidence and our rules.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
        Plausible = "plausible", "成功の可能性あり", "a read may have succeeded";
        Succeeded = "succeeded", "読み取り成功", "succeeded";
    }
    Eligible {
        Eligible = "eligible", "掲載条件を満たす（読み取り成功）", "eligible";
        NotYet = "not_yet", "まだ満たさない", "not yet";
        NotObservable = "not_observable", "ここでは観測できない", "not observable here";
    }
}

impl View<'_> {
    pub(crate) fn evidence(&self, total: &Total) -> Axis<Evidence> {
        let native = self.facility.phone_native() == PhoneNative::Yes;
        let evidence = match (total.reads(), total.best(), total.level(Level::Plausible), total.level(Level::TapOnly)) {
            (Some(reads), Some(level), _, _) => Evidence::Succeeded {
                level,
                first_success_at: reads.first_at,
                last_success_at: reads.last_at,
                count: reads.count,
                count_30d: total.recent,
                tests: total.tests,
                by_level: by_level(total),
            },
            (_, _, Some(plausible), _) => Evidence::Plausible {
                level: Level::Plausible,
                first_at: plausible.first_at,
                last_at: plausible.last_at,
                plausible: plausible.count,
                doubts: doubts(total),
                by_level: by_level(total),
            },
            _ if native => Evidence::NotObservable,
            (_, _, _, Some(taps)) => {
                Evidence::AttemptedOnly { first_at: taps.first_at, last_at: taps.last_at, attempts: taps.count }
            }
            _ => Evidence::Never,
        };
        let why = self.evidence_why(&evidence, total);
        Axis::new(evidence, why)
    }

    fn evidence_why(&self, evidence: &Evidence, total: &Total) -> Text {
        let why = match evidence {
            Evidence::NotObservable => Text::fixed(
                "顔認証付きカードリーダー自体がスマートフォンを読むため、タップはここから見えません。成功は担当者の確認かリストで分かります。",
                "The face reader reads phones by itself, so taps can't be seen from here; a person or the list can tell.",
            ),
            Evidence::Never if self.facility.terminals.values().all(|terminal| terminal.heard_at.is_none()) => {
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
            Evidence::Plausible { plausible, last_at, doubts, .. } => {
                let at = self.minute(*last_at);
                let said = Text::new(
                    format!("{plausible}回は成功した可能性がありますが（最後は{at}）、ほかの説明もつきます。"),
                    format!(
                        "{plausible} reads may have succeeded (the last at {at}); something else explains them as well."
                    ),
                );
                let said = doubts.iter().fold(said, |said, DoubtCount { label, count, .. }| {
                    said.then(&Text::new(format!("{}: {count}回。", label.ja), format!("{count}: {}.", label.en)))
                });
                self.chance_sentence(total).map_or(said.clone(), |chance| said.then(&chance))
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
        if total.too_early == 0 {
            return why;
        }
        let (since, too_early) = (self.date(self.set.counts_since), total.too_early);
        why.then(&Text::new(
            format!("{since}より前の{too_early}回は数えません。"),
            format!("{too_early} before {since} don't count."),
        ))
    }

    /// The observed number of results against the number expected by chance, if that is worth showing.
    fn chance_sentence(&self, total: &Total) -> Option<Text> {
        let chance = total.chance();
        if chance.taps == 0 {
            return None;
        }
        let (taps, seen, within) = (chance.taps, chance.seen, self.set.phone_result.p95_s);
        let expected = chance.expected;
        Some(Text::new(
            format!(
                "タップ{taps}回のうち{within}秒以内に結果が続いたのは{seen}回、偶然やカードでも{expected:.1}回は見込まれます。"
            ),
            format!(
                "Of {taps} taps {seen} were followed by a result within {within} s; by chance and by cards {expected:.1} were to be expected."
            ),
        ))
    }

    pub(crate) fn eligible(&self, total: &Total) -> Axis<Eligible> {
        let suffices = self.set.level_that_suffices.label();
        let eligible = match total.sufficed {
            Some((since, level)) => Eligible::Eligible { since, level },
            None if self.facility.phone_native() == PhoneNative::Yes => Eligible::NotObservable,
            None => Eligible::NotYet,
        };
        let why = match &eligible {
            Eligible::Eligible { since, level } => {
                let (at, label) = (self.minute(*since), level.label());
                let why = Text::new(
                    format!(
                        "当システムのルールでは、{at}の読み取り成功により掲載条件を満たしています（根拠: {}）。掲載は厚生労働省が自らの記録で判断します。",
                        label.ja
                    ),
                    format!(
                        "By our rules this facility qualifies since {at} (evidence: {}); the ministry decides from its own records.",
                        label.en
                    ),
                );
                let by_weight = *level <= Level::HeaderConfirmed;
                self.chance_sentence(total).filter(|_| by_weight).map_or(why.clone(), |chance| why.then(&chance))
            }
            Eligible::NotObservable => Text::fixed(
                "この機種では読み取りがここから見えないため、すでに成功している可能性があります。",
                "With this face reader reads can't be seen from here; one may have succeeded already.",
            ),
            Eligible::NotYet if total.sufficed_before => Text::new(
                format!(
                    "以前のルールでは足りていた読み取りがありますが、現在のルールが求める根拠（{}）に達していません。",
                    suffices.ja
                ),
                format!(
                    "There are reads that sufficed by earlier rules; the rules in force ask for more ({}).",
                    suffices.en
                ),
            ),
            Eligible::NotYet => {
                let why = Text::new(
                    format!("必要な根拠（{}）のある読み取りがまだありません。", suffices.ja),
                    format!("No read with the evidence that is needed ({}) has been seen.", suffices.en),
                );
                let plausible = total.level(Level::Plausible).is_some();
                self.chance_sentence(total).filter(|_| plausible).map_or(why.clone(), |chance| why.then(&chance))
            }
        };
        Axis::new(eligible, why)
    }
}

fn doubts(total: &Total) -> Vec<DoubtCount> {
    let doubts = total.doubts().into_iter();
    doubts.map(|(doubt, count)| DoubtCount { doubt, label: doubt.label(), count }).collect()
}

fn by_level(total: &Total) -> Vec<LevelCount> {
    let levels = Level::ALL.into_iter().rev();
    levels
        .filter_map(|level| {
            let count = total.level(level)?;
            Some(LevelCount { level, count: count.count, first_at: count.first_at, last_at: count.last_at })
        })
        .collect()
}
