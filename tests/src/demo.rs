//! A believable demonstration: sixty days of lifelike history in seconds, then a life at its own pace.
//!
//! Who is what ([`cast`]) is fixed by number, so that every screen has something true to show. Each clinic's past and
//! present come from the generator that knows the truth ([`story`]) and go through the terminals' own door; lists are
//! files that the server imports ([`lists`]), and what people say they say by its commands. [`beyond`] is for the two
//! things that no door lets in.

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
/// Says in a clinic's folder that its past was told.
const PAST_TOLD: &str = "past";
/// Says in the folder of all clinics that the lists were imported.
const LISTS_TOLD: &str = "lists";

/// Whether the past of a clinic was told by an earlier run.
#[must_use]
pub fn past_was_told(member: &Member) -> bool {
    member.state_dir.join(PAST_TOLD).exists()
}

/// What people say of all clinics, and then the lists of the ministry, once.
///
/// # Errors
/// When the server refuses something.
pub async fn state(facilities: &[Facility], state: &Path, operator: &Operator) -> Result<()> {
    let now = clock::now();
    let statements = |index: usize, facility: &Facility| cast::statements(index, facility, now);
    roster::state_all(facilities, state, operator, statements).await.context("say what is wanted of the clinics")?;
    if state.join(LISTS_TOLD).exists() {
        return Ok(());
    }
    for list in lists::both(facilities, now) {
        let file = state.join(format!("list-{}.csv", list.as_of));
        tokio::fs::write(&file, &list.text).await.with_context(|| format!("write `{}`", file.display()))?;
        operator.run(&list.command(&file)).await.context("import the ministry's list")?;
    }
    tokio::fs::write(state.join(LISTS_TOLD), "").await.context("note that the lists were imported")
}

/// The life of a clinic that is shown.
#[must_use]
pub fn life(setting: &Setting, member: &Member, who: Terminal) -> Life {
    let story = Story::new(setting, who, past_was_told(member));
    Life { lead: story.lead(), happenings: Box::new(story) }
}

/// Waits until the server has all of a clinic's past, notes that, and spoils the record of the one that is to stand still.
///
/// # Errors
/// When it can't be noted or written.
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
    let marker = member.state_dir.join(PAST_TOLD);
    if marker.exists() {
        return Ok(());
    }
    if let Some(log) = log.filter(|_| Part::of(member.index) == Part::Parked) {
        log.damage(member.identity.facility()).await?;
    }
    tokio::fs::write(&marker, "").await.with_context(|| format!("write `{}`", marker.display()))
}

/// Tells the past of the clinics that have fallen silent since: only the log still can.
///
/// # Errors
/// When the log doesn't take it.
pub async fn tell_of_the_silent(members: &[Member], seed: u64, log: &beyond::Log) -> Result<()> {
    for member in members.iter().filter(|member| Part::of(member.index) == Part::Silent && !past_was_told(member)) {
        log.silent(member, seed, clock::now()).await?;
        let marker = member.state_dir.join(PAST_TOLD);
        tokio::fs::write(&marker, "").await.with_context(|| format!("write `{}`", marker.display()))?;
    }
    Ok(())
}
