//! `log`: verifies the database against the log.

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;
use crate::projector::verify::{self, Report};
use crate::store::Store;

use super::output::{self, Format, FormatArgument, counted, json, say};
use super::progress::ProgressMeter;

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server log verify
  yomitori-server log verify --format json > report.json";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Read the whole log, fold it again in memory, and compare every fact and facility with the database. Nothing is
    /// changed; the exit code is 1 if they differ.
    Verify {
        #[command(flatten)]
        format: FormatArgument,
    },
}

pub(super) async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { format } = command;
    let store = Store::open(&config.database)?;
    store.check_schema().await?;
    let mut progress = ProgressMeter::of_records();
    let report = verify::verify(&store, &config.kafka, &mut |at| progress.set(at.done, at.of, "")).await?;
    progress.end();
    match format.format {
        Format::Table => show(&report),
        Format::Json => json(&report)?,
    }
    let is_empty = report.records == 0 && report.unfolded > 0;
    Ok(if report.disagreements == 0 && !is_empty { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(report: &Report) {
    let Report { records, facts, repeated, facilities, behind, unfolded, disagreements, named } = report;
    named.iter().for_each(|disagreement| say(&format!("✗ {disagreement}")));
    if *disagreements > named.len() as u64 {
        say(&format!("… {disagreements}"));
    }
    say(&format!(
        "{records} 件の記録、{facts} 件の事実(重複 {repeated} 件は除外)、{facilities} 施設を照合しました / {}, {} ({repeated} repeated ones dropped), {} compared",
        counted(*records, "record", "records"),
        counted(*facts, "fact", "facts"),
        output::facilities(*facilities)
    ));
    if *behind > 0 {
        say(&format!(
            "{behind} 施設は新しい規則での計算待ちです / {} to be folded by the rules in force",
            output::facilities(*behind)
        ));
    }
    if *unfolded > 0 {
        say(&format!(
            "{unfolded} 件の記録はまだ処理されておらず、照合していません / {} of the log not folded yet, and not compared",
            counted(*unfolded, "record", "records")
        ));
    }
    if *records == 0 && *unfolded > 0 {
        say("照合できるものがありません。サーバーを起動してください / nothing could be compared; start the server");
    } else if *disagreements == 0 {
        say("一致しています / they agree");
    } else {
        say(&format!(
            "{disagreements} 件の不一致: `rebuild --facts` で作り直せます / {}: \
             `yomitori-server rebuild --facts` folds the log again",
            counted(*disagreements, "disagreement", "disagreements")
        ));
    }
}
