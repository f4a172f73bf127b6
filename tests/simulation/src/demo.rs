//! A realistic demonstration: sixty days of history in seconds, then life in real time.
//!
//! The parts of the clinics ([`cast`]) are fixed by number, so that every page has true data. Each clinic's past and
//! present come from the generator with the known truth ([`story`]) and use the terminals' own connection. Lists are
//! files that the server imports ([`lists`]), and people's statements are commands. [`beyond`] is for the two cases
//! that no regular entry point allows.

pub mod beyond;
pub mod cast;
pub mod lists;
pub mod story;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::fleet::clinic::{Setting, Terminal};
use crate::fleet::facility::Facility;
use crate::fleet::operator::Operator;
use crate::fleet::player::{Life, Progress};
use crate::fleet::roster::{self, Member};
use cast::Part;
use story::Story;

/// Days of the past.
pub const PAST_DAYS: u64 = 60;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Marker file in a clinic's folder: its past has been sent.
const PAST_SENT: &str = "past";
/// Marker file in the folder of all clinics: the lists have been imported.
const LISTS_IMPORTED: &str = "lists";

/// Whether an earlier run has sent the past of a clinic.
#[must_use]
pub fn past_was_sent(member: &Member) -> bool {
    member.state_dir.join(PAST_SENT).exists()
}

/// Makes people's statements about all clinics and imports the ministry's lists, once.
///
/// # Errors
/// If the server refuses a command.
pub async fn state(facilities: &[Facility], state: &Path, operator: &Operator) -> Result<()> {
    let now = clock::now();
    let statements = |index: usize, facility: &Facility| cast::statements(index, facility, now);
    roster::state_all(facilities, state, operator, statements).await.context("state the clinics' intent")?;
    if state.join(LISTS_IMPORTED).exists() {
        return Ok(());
    }
    for list in lists::both(facilities, now) {
        let file = state.join(format!("list-{}.csv", list.as_of));
        tokio::fs::write(&file, &list.text).await.with_context(|| format!("write `{}`", file.display()))?;
        operator.run(&list.command(&file)).await.context("import the ministry's list")?;
    }
    tokio::fs::write(state.join(LISTS_IMPORTED), "").await.context("note that the lists were imported")
}

/// The life of a clinic in the demonstration.
#[must_use]
pub fn life(setting: &Setting, member: &Member, who: Terminal) -> Life {
    let story = Story::new(setting, who, past_was_sent(member));
    Life { lead: story.lead(), happenings: Box::new(story) }
}

/// Waits until the server has all of a clinic's past, writes the marker, and damages a record of the clinic that is to
/// be blocked.
///
/// # Errors
/// If the marker or the record can't be written.
pub async fn settle(
    member: Member,
    progress: Progress,
    log: Option<beyond::Log>,
    closing: CancellationToken,
) -> Result<()> {
    let settled = async {
        while !progress.has_line() || progress.kept().0 == 0 || progress.acknowledged() < progress.kept() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        () = settled => {}
        () = closing.cancelled() => return Ok(()),
    }
    let marker = member.state_dir.join(PAST_SENT);
    if marker.exists() {
        return Ok(());
    }
    if let Some(log) = log.filter(|_| Part::of(member.index) == Part::Parked) {
        log.damage(member.identity.facility()).await?;
    }
    tokio::fs::write(&marker, "").await.with_context(|| format!("write `{}`", marker.display()))
}

/// Writes the past of the clinics that are silent since: it can only be written into the log.
///
/// # Errors
/// If the log doesn't accept it.
pub async fn append_silent_pasts(members: &[Member], seed: u64, log: &beyond::Log) -> Result<()> {
    for member in members.iter().filter(|member| Part::of(member.index) == Part::Silent && !past_was_sent(member)) {
        log.silent(member, seed, clock::now()).await?;
        let marker = member.state_dir.join(PAST_SENT);
        tokio::fs::write(&marker, "").await.with_context(|| format!("write `{}`", marker.display()))?;
    }
    Ok(())
}
