//! `facility import`: the facilities that are watched, from a table.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use yomitori_proto::event::Stated;

use super::output::{note, say, warn};
use super::statement::Speaker;
use super::{Desk, Mistaken};
use crate::clock;
use crate::ingest::master;
use crate::store::facility as facilities;

/// Statements on their way at once.
const AT_ONCE: usize = 500;
const TOLD_EVERY: usize = 5000;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register facilities, or change their names, from a CSV with the columns code, name, prefecture and, if wanted,
    /// address (医療機関コード, 名称, 都道府県, 住所). Several codes of one facility are parted by spaces.
    Import {
        file: PathBuf,
        #[command(flatten)]
        speaker: Speaker,
    },
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    let Command::Import { file, speaker } = command;
    let bytes = std::fs::read(&file).with_context(|| format!("read `{}`", file.display()))?;
    let table = master::parse(&bytes).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(|mistake| format!("  - {mistake}")).collect();
        Mistaken(format!("import `{}`: nothing was imported\n{}", file.display(), lines.join("\n")))
    })?;
    for warning in &table.warnings {
        warn(&warning.to_string());
    }
    let known = facilities::names(&desk.store).await?;
    let stated = Stated { by: speaker.by(), why: speaker.why, stated_at: clock::now() };
    let total = table.facilities.len();
    let news: Vec<_> = table.facilities.into_iter().filter_map(|facility| facility.news(&known)).collect();
    let unchanged = total - news.len();
    let mut done = 0_usize;
    let mut last = None;
    let mut appended = stream::iter(news.into_iter().map(|(id, event)| desk.operator.state(id, stated.clone(), event)))
        .buffered(AT_ONCE);
    while let Some(position) = appended.try_next().await.context("record the facilities")? {
        last = last.max(Some(position));
        done += 1;
        if done.is_multiple_of(TOLD_EVERY) {
            note(&format!("{done} of {} recorded", total - unchanged));
        }
    }
    drop(appended);
    if let Some(position) = last {
        desk.operator.shown(position).await?;
    }
    say(&format!("{done} 件を登録しました / {done} registered or changed, {unchanged} unchanged"));
    Ok(())
}
