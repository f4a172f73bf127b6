//! An operating system that says what a test wants: files of `/proc` and `/sys`, and the wall clock, for one program only.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;

/// What a program shall see instead of what is there.
#[derive(Debug)]
pub struct Pretence {
    library: PathBuf,
    root: PathBuf,
}

impl Pretence {
    /// Makes one in `folder`, by which nothing is changed yet.
    ///
    /// # Errors
    /// When the C compiler that the build needs anyway is not there.
    pub fn new(folder: &Path) -> Result<Self> {
        let (library, root) = (folder.join("pretend.so"), folder.join("pretend"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/world/pretend.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
        let compiled = compiler.output().context("run the C compiler")?;
        ensure!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        std::fs::create_dir_all(&root).context("make a folder")?;
        Ok(Self { library, root })
    }

    /// What the program needs in its environment.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![("LD_PRELOAD".to_owned(), text(&self.library)), ("YOMITORI_PRETEND".to_owned(), text(&self.root))]
    }

    /// From now on `text` stands in the file at `path`.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn show(&self, path: &str, text: &str) -> Result<()> {
        let place = self.root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().context("a folder")?).context("make a folder")?;
        std::fs::write(&place, text).with_context(|| format!("write {place:?}"))
    }

    /// From now on the wall clock is ahead by this much.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn clock(&self, ahead: TimeDelta) -> Result<()> {
        // In one step, as the program may read it at any moment.
        let place = self.root.join("clock_ms");
        let new = place.with_extension("new");
        std::fs::write(&new, ahead.num_milliseconds().to_string()).context("write the clock")?;
        std::fs::rename(&new, &place).context("set the clock")
    }
}
