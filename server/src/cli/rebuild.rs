//! `rebuild`: folding the whole log anew, what would change by it, and the exchange.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use tokio::time::Instant;

use crate::config::Config;
use crate::projector::rebuild::{Rebuild as Rebuilding, RebuildProgress};
use crate::store::Store;
use crate::store::generation::difference::{Difference, FacilityDifference, Presence};

use super::output::{note, say};

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server rebuild           fold the log anew, beside what is shown; goes on where it was interrupted
  yomitori-server rebuild --facts   the facts too, as a lost or damaged database needs it
  yomitori-server rebuild diff      what an exchange would change, and for whom
  yomitori-server rebuild swap      show the new one from now on; the old one is kept, and can be brought back
  yomitori-server rebuild drop      forget the one that is not shown";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RebuildArguments {
    #[command(subcommand)]
    step: Option<Step>,
    /// Write the facts anew as well; by itself where the database has none.
    #[arg(long)]
    facts: bool,
}

#[derive(Subcommand)]
enum Step {
    /// Say, facility by facility, what an exchange would change. Nothing is changed.
    Diff {
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Take in what is missing and exchange the two, in one transaction.
    Swap,
    /// Forget the generation that is not shown.
    Drop,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) async fn run(config: &Config, command: RebuildArguments) -> anyhow::Result<()> {
    let store = Store::open(&config.database)?;
    store.check_schema().await?;
    let mut bar = ProgressBar::new();
    let tell = &mut |told: RebuildProgress| bar.tell(told);
    match command.step {
        None => {
            let rebuild = Rebuilding::begin(&store, &config.kafka, command.facts).await?;
            if rebuild.resumed() {
                note("前回の続きから再構築します / going on where an earlier rebuild ended");
            }
            if rebuild.with_facts() {
                note("事実も書き直します / the facts are written anew as well");
            }
            rebuild.build(tell).await?;
            bar.end();
            say("再構築しました。次: `rebuild diff`(変わる点)、`rebuild swap`(切り替え)");
            say("built; next: `rebuild diff` for what would change, `rebuild swap` to show it");
        }
        Some(Step::Diff { format }) => {
            let difference = Rebuilding::open(&store, &config.kafka).await?.difference(tell).await?;
            bar.end();
            match format {
                Format::Text => show(&difference),
                Format::Json => say(&serde_json::to_string_pretty(&difference)?),
            }
        }
        Some(Step::Swap) => {
            Rebuilding::open(&store, &config.kafka).await?.swap(tell).await?;
            bar.end();
            say("切り替えました。前のものは `rebuild swap` で戻せ、`rebuild drop` で消せます");
            say("exchanged; `rebuild swap` brings the old one back, `rebuild drop` forgets it");
        }
        Some(Step::Drop) => {
            if Rebuilding::forget(&store).await? {
                say("消しました / forgotten");
            } else {
                say("ほかの世代はありません / there is none beside the one that is shown");
            }
        }
    }
    Ok(())
}

fn show(difference: &Difference) {
    for facility in &difference.facilities {
        let FacilityDifference { code, name, presence, columns, .. } = facility;
        let who = format!("{} {}", code.as_deref().unwrap_or("-"), name.as_deref().unwrap_or("-"));
        match presence {
            Presence::OnlyLive => say(&format!("- {who} (消える / would be gone)")),
            Presence::OnlyBeside => say(&format!("+ {who} (増える / would be there)")),
            Presence::Both => {
                say(&format!("~ {who}"));
                for column in columns {
                    say(&format!("    {}: {} -> {}", column.name, word(&column.live), word(&column.beside)));
                }
            }
        }
    }
    let Difference { compared, moving, facilities } = difference;
    let changed = facilities.len();
    say(&format!(
        "{compared} 施設を比べ、{changed} 施設が変わります / {changed} of {compared} facilities would change"
    ));
    if *moving > 0 {
        say(&format!(
            "{moving} 施設は記録が届いている最中のため比べていません / {moving} not compared: facts are arriving"
        ));
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A bar with an estimate: one line that is drawn again where a person looks on, a line now and then elsewhere.
pub(super) struct ProgressBar {
    began: Instant,
    told_at: Option<Instant>,
    drawn: bool,
    /// Its end is known already.
    full: bool,
}

impl ProgressBar {
    const WIDTH: usize = 30;
    const EVERY: Duration = Duration::from_secs(5);

    pub(super) fn new() -> Self {
        Self { began: Instant::now(), told_at: None, drawn: false, full: false }
    }

    pub(super) fn tell(&mut self, told: RebuildProgress) {
        // A later round takes in what came meanwhile: little, and not worth a bar of its own.
        if told.of == 0 || self.full {
            return;
        }
        self.full = told.done == told.of;
        let alone = std::io::stderr().is_terminal();
        if !alone && !self.full && self.told_at.is_some_and(|at| at.elapsed() < Self::EVERY) {
            return;
        }
        self.told_at = Some(Instant::now());
        let line = line(told, self.began.elapsed());
        if alone {
            write!(std::io::stderr(), "\r\x1b[2K{line}").ok();
            std::io::stderr().flush().ok();
            self.drawn = true;
        } else {
            note(&line);
        }
    }

    pub(super) fn end(&self) {
        if self.drawn {
            note("");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
fn line(told: RebuildProgress, took: Duration) -> String {
    let RebuildProgress { done, of, waits } = told;
    let part = done as f64 / of as f64;
    let filled = usize::try_from(done * 30 / of.max(1)).unwrap_or(0).min(ProgressBar::WIDTH);
    let bar: String = (0..ProgressBar::WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
    let left = match (done, done == of) {
        (0, _) => String::new(),
        (_, true) => format!("{} 秒 / took {} s", took.as_secs(), took.as_secs()),
        (_, false) => {
            let left = (took.as_secs_f64() * (1.0 - part) / part).ceil();
            format!("あと {left} 秒 / {left} s left")
        }
    };
    let waits = if waits { " (現在の記録を優先中 / letting the live projection go first)" } else { "" };
    format!("[{bar}] {:5.1} % {done}/{of} records {left}{waits}", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_and_how_long() {
        let told = |done| RebuildProgress { done, of: 200, waits: false };
        let ten = Duration::from_secs(10);
        assert!(line(told(0), ten).starts_with("[..............................]   0.0 % 0/200 records"));
        assert!(line(told(50), ten).contains("25.0 % 50/200 records あと 30 秒 / 30 s left"));
        assert!(line(told(200), ten).starts_with("[##############################] 100.0 %"));
        assert!(line(RebuildProgress { waits: true, ..told(1) }, ten).contains("go first"));
    }
}
