//! `log`: whether what the database holds is what the log says.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use crate::config::Config;
use crate::projector::verify::{self, Report};
use crate::store::Store;

use super::output::say;
use super::rebuild::ProgressBar;

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server log verify
  yomitori-server log verify --format json > report.json";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Read the whole log, fold it once more in memory, and compare every fact and every facility. Nothing is changed; the
    /// exit code is 1 where they disagree.
    Verify {
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

pub(super) async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { format } = command;
    let store = Store::open(&config.database)?;
    store.check_schema().await?;
    let mut bar = ProgressBar::new();
    let report = verify::verify(&store, &config.kafka, &mut |told| bar.tell(told)).await?;
    bar.end();
    match format {
        Format::Text => show(&report),
        Format::Json => say(&serde_json::to_string_pretty(&report)?),
    }
    Ok(if report.disagreements == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(report: &Report) {
    let Report { records, facts, repeated, facilities, behind, disagreements, named } = report;
    named.iter().for_each(|disagreement| say(&format!("✗ {disagreement}")));
    if *disagreements > named.len() as u64 {
        say(&format!("… {disagreements}"));
    }
    say(&format!(
        "{records} 件の記録、{facts} 件の事実(重複 {repeated} 件は除外)、{facilities} 施設を照合しました / {records} records, \
         {facts} facts ({repeated} repeated ones dropped), {facilities} facilities compared"
    ));
    if *behind > 0 {
        say(&format!("{behind} 施設は新しい規則での計算待ちです / {behind} wait to be folded by the rules in force"));
    }
    if *disagreements == 0 {
        say("一致しています / they agree");
    } else {
        say(&format!(
            "{disagreements} 件の不一致: `rebuild --facts` で作り直せます / {disagreements} disagreements: \
             `yomitori-server rebuild --facts` folds the log anew"
        ));
    }
}
