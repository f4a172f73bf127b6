//! `rebuild`: folds the whole log again, shows what would change, and swaps the generations.

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::config::Config;
use crate::projector::rebuild::{Rebuild as Rebuilding, RebuildProgress};
use crate::store::Store;
use crate::store::generation::difference::{Difference, FacilityDifference, InGenerations};

use super::output::{self, Format, FormatArgument, json, note, say};
use super::progress::ProgressMeter;

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server rebuild           fold the log again beside the live generation; resumes after an interruption
  yomitori-server rebuild --facts   also write the facts, for a lost or damaged database
  yomitori-server rebuild diff      show what a swap would change, for each facility
  yomitori-server rebuild swap      show the new generation; the old one is kept and can be restored
  yomitori-server rebuild drop      delete the generation that is not shown";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RebuildArguments {
    #[command(subcommand)]
    step: Option<Step>,
    /// Write the facts again as well; implied if the database has none.
    #[arg(long)]
    facts: bool,
}

#[derive(Subcommand)]
enum Step {
    /// Show for each facility what a swap would change. Nothing is changed.
    Diff {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Fold the missing records and swap the two generations in one transaction.
    Swap,
    /// Delete the generation that is not shown.
    Drop,
}

pub(super) async fn run(config: &Config, command: RebuildArguments) -> anyhow::Result<()> {
    let store = Store::open(&config.database)?;
    store.check_schema().await?;
    let mut progress = ProgressMeter::of_records();
    let progressed = &mut |RebuildProgress { done, of, waits }: RebuildProgress| {
        progress.set(done, of, if waits { "現在の記録を優先中 / waiting for the live projection" } else { "" });
    };
    match command.step {
        None => {
            let rebuild = Rebuilding::begin(&store, &config.kafka, command.facts).await?;
            if rebuild.resumed() {
                note("前回の続きから再構築します / resuming an earlier rebuild");
            }
            if rebuild.with_facts() {
                note("事実も書き直します / the facts are written again as well");
            }
            rebuild.build(progressed).await?;
            progress.end();
            say("再構築しました。次: `rebuild diff`(変わる点)、`rebuild swap`(切り替え)");
            say("built; next: `rebuild diff` shows what would change, `rebuild swap` swaps");
        }
        Some(Step::Diff { format }) => {
            let difference = Rebuilding::open(&store, &config.kafka).await?.difference(progressed).await?;
            progress.end();
            match format.format {
                Format::Table => show(&difference),
                Format::Json => json(&difference)?,
            }
        }
        Some(Step::Swap) => {
            Rebuilding::open(&store, &config.kafka).await?.swap(progressed).await?;
            progress.end();
            say("切り替えました。前のものは `rebuild swap` で戻せ、`rebuild drop` で消せます");
            say("swapped; `rebuild swap` swaps back, `rebuild drop` deletes the old one");
        }
        Some(Step::Drop) => {
            if Rebuilding::forget(&store).await? {
                say("消しました / deleted");
            } else {
                say("ほかの世代はありません / there is no other generation");
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
            InGenerations::OnlyLive => say(&format!("- {who} (消える / would disappear)")),
            InGenerations::OnlyBeside => say(&format!("+ {who} (増える / would appear)")),
            InGenerations::Both => {
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
        "{compared} 施設を比べ、{changed} 施設が変わります / {changed} of {} would change",
        output::facilities(*compared)
    ));
    if *moving > 0 {
        say(&format!(
            "{moving} 施設は記録が届いている最中のため比べていません / {moving} not compared because facts are arriving"
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
