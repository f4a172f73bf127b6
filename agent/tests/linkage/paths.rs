//! Whatever happens to a folder or to a parent: each result is reported once or lies within a reported gap.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use proptest::prelude::*;
use yomitori_agent::clock;

use crate::desk::{Desk, name, name_at, put};

/// How often a result of that time was reported.
fn reported(desk: &Desk, at: DateTime<Utc>) -> usize {
    desk.reported.iter().filter(|seen| seen.file_at == Some(at)).count()
}

/// Whether a reported gap touches [from, to].
fn in_gap(desk: &Desk, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    desk.gaps.iter().any(|gap| gap.from <= to && from <= gap.to)
}

#[test]
fn a_folder_whose_parent_was_away_is_watched_again_and_the_time_is_a_gap() -> Result<()> {
    let mut desk = Desk::at("outer/face")?;
    desk.warm_up()?;
    let (outer, away) = (desk.root.path().join("outer"), desk.root.path().join("away"));
    let from = clock::now();
    fs::rename(&outer, &away)?;
    desk.pass(Duration::from_millis(2_500));
    let to = clock::now();
    fs::rename(&away, &outer)?;
    desk.until("the gap", |desk| desk.gaps.iter().any(|gap| gap.to >= to));
    let first = desk.gaps.iter().map(|gap| gap.from).min();
    assert!(first.is_some_and(|first| first <= from), "{:?}", desk.gaps);
    for number in 0..20 {
        put(&desk.face(), number);
        desk.pass(Duration::from_millis(100));
        fs::remove_file(desk.face().join(name(number)))?;
    }
    desk.until("all results of after", |desk| desk.reported.len() == 20);
    desk.stop();
    assert_eq!(desk.reported.len(), 20);
    Ok(())
}

#[test]
fn only_the_folder_that_is_at_the_path_counts() -> Result<()> {
    let mut desk = Desk::new()?;
    desk.warm_up()?;
    let (face, old) = (desk.face(), desk.root.path().join("face.old"));
    fs::rename(&face, &old)?;
    fs::create_dir(&face)?;
    put(&old, 1);
    put(&face, 2);
    desk.until("the result in the new folder", |desk| desk.reported.len() == 1);
    // From here on at once, and by the name alone.
    for number in 3..23 {
        for folder in [&old, &face] {
            put(folder, number);
            fs::remove_file(folder.join(name(number)))?;
        }
    }
    desk.until("all in the new folder", |desk| desk.reported.len() == 21);
    desk.stop();
    assert_eq!(desk.reported.len(), 21, "nothing of the old folder counts");
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// A folder is renamed away: 0 is the linkage folder, 1 and 2 are its parents.
    Away(usize),
    /// What was renamed away last comes back.
    Back,
    Remove(usize),
    Create,
    /// The parent is a link to another folder from now on.
    Link,
    /// A result appears in the folder that was renamed away last.
    Stray,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0_usize..3).prop_map(Change::Away),
        3 => Just(Change::Back),
        1 => (0_usize..3).prop_map(Change::Remove),
        3 => Just(Change::Create),
        1 => Just(Change::Link),
        2 => Just(Change::Stray),
    ]
}

struct Appeared {
    at: DateTime<Utc>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    is_stray: bool,
}

struct Trial {
    desk: Desk,
    /// Each level, from the linkage folder on.
    levels: [PathBuf; 3],
    /// Where what was renamed away belongs, where it is, and the linkage folder in it.
    away: Vec<(PathBuf, PathBuf, PathBuf)>,
    appeared: Vec<Appeared>,
    began: DateTime<Utc>,
    number: i64,
}

impl Trial {
    fn begin() -> Result<Self> {
        let mut desk = Desk::at("top/outer/face")?;
        desk.warm_up()?;
        let top = desk.root.path().join("top");
        let levels = [desk.face(), top.join("outer"), top];
        let began = clock::now().trunc_subsecs(0) - TimeDelta::days(1);
        Ok(Self { desk, levels, away: Vec::new(), appeared: Vec::new(), began, number: 0 })
    }

    fn fresh(&mut self, what: &str) -> PathBuf {
        self.number += 1;
        self.desk.root.path().join(format!("{what}{}", self.number))
    }

    /// Makes the change where it is possible.
    fn make(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Away(level) => {
                let (from, to) = (self.levels[level].clone(), self.fresh("away"));
                if fs::rename(&from, &to).is_ok() {
                    let face = to.join(self.levels[0].strip_prefix(&from)?);
                    // `join` with nothing adds a slash.
                    self.away.push((from, to.clone(), if level == 0 { to } else { face }));
                }
            }
            Change::Back => {
                if let Some((from, to, _)) = self.away.pop()
                    && from.symlink_metadata().is_err()
                {
                    // Its own parent may be away.
                    fs::rename(to, from).ok();
                }
            }
            Change::Remove(level) => {
                let folder = &self.levels[level];
                match folder.symlink_metadata() {
                    Ok(there) if there.is_symlink() => fs::remove_file(folder)?,
                    Ok(_) => fs::remove_dir_all(folder)?,
                    Err(_) => {}
                }
            }
            Change::Create => fs::create_dir_all(&self.levels[0]).unwrap_or_default(),
            Change::Link => {
                let other = self.fresh("other");
                fs::create_dir_all(other.join("face"))?;
                symlink(other, &self.levels[1]).ok();
            }
            Change::Stray => {
                if let Some((_, _, face)) = self.away.last().cloned() {
                    self.result(&face, true, Duration::ZERO);
                }
            }
        }
        Ok(())
    }

    /// A result appears in `folder` and is gone after `time`.
    fn result(&mut self, folder: &Path, is_stray: bool, time: Duration) -> Option<DateTime<Utc>> {
        self.number += 1;
        let at = self.began + TimeDelta::seconds(self.number);
        let (file, from) = (folder.join(name_at(1, at)), clock::now());
        fs::write(&file, "").ok()?;
        self.appeared.push(Appeared { at, from, to: clock::now(), is_stray });
        self.desk.pass(time);
        fs::remove_file(file).ok();
        Some(at)
    }

    /// Puts the folder in its place and waits until it is watched; from then on nothing is missed.
    fn end(mut self) -> Result<(Self, usize)> {
        let face = self.levels[0].clone();
        for level in (0..3).rev() {
            if self.levels[level].is_symlink() {
                fs::remove_file(&self.levels[level])?;
            }
        }
        fs::create_dir_all(&face)?;
        loop {
            let Some(at) = self.result(&face, false, Duration::from_millis(5)) else { continue };
            if reported(&self.desk, at) > 0 {
                break;
            }
        }
        let after: Vec<_> = (0..5).filter_map(|_| self.result(&face, false, Duration::ZERO)).collect();
        self.desk.until("the results of the end", |desk| after.iter().all(|at| reported(desk, *at) > 0));
        self.desk.stop();
        let seen = self.appeared.iter().filter(|appeared| reported(&self.desk, appeared.at) == 1).count();
        Ok((self, seen))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 0, failure_persistence: None, ..Default::default() })]

    #[test]
    fn each_result_is_reported_once_or_lies_in_a_gap(
        changes in prop::collection::vec((change(), 0_usize..3, 0_u64..160), 3..14)
    ) {
        let mut trial = Trial::begin().unwrap();
        for (change, results, pause) in &changes {
            trial.make(*change).unwrap();
            for _ in 0..*results {
                let face = trial.levels[0].clone();
                trial.result(&face, false, Duration::from_millis(pause % 7));
            }
            trial.desk.pass(Duration::from_millis(*pause));
        }
        let (trial, seen) = trial.end().unwrap();
        prop_assert!(seen >= 6, "only {seen} were reported");
        for Appeared { at, from, to, is_stray } in &trial.appeared {
            match (reported(&trial.desk, *at), is_stray) {
                (0, true) | (1, false) => {}
                (0, false) => prop_assert!(
                    in_gap(&trial.desk, *from, *to),
                    "lost at {from} without a gap: {:?}", trial.desk.gaps
                ),
                (times, _) => prop_assert!(false, "reported {times} times, stray {is_stray}"),
            }
        }
    }
}
