//! A simulated operating system for one program: files of `/proc` and `/sys`, and the wall clock.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;

/// Files and clock that replace the real ones for a program.
#[derive(Debug)]
pub struct Pretence {
    library: PathBuf,
    root: PathBuf,
}

impl Pretence {
    /// Creates one in `folder`, without any change yet.
    ///
    /// # Errors
    /// If the C compiler, which the build needs too, is missing.
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

    /// Environment variables for the program.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![("LD_PRELOAD".to_owned(), text(&self.library)), ("YOMITORI_PRETEND".to_owned(), text(&self.root))]
    }

    /// Sets the contents of the file at `path` to `text`.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn show(&self, path: &str, text: &str) -> Result<()> {
        let place = self.root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().context("a folder")?).context("make a folder")?;
        std::fs::write(&place, text).with_context(|| format!("write {place:?}"))
    }

    /// Sets the wall clock ahead by this much.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn clock(&self, ahead: TimeDelta) -> Result<()> {
        // The update is atomic, because the program may read the file at any moment.
        let place = self.root.join("clock_ms");
        let new = place.with_extension("new");
        std::fs::write(&new, ahead.num_milliseconds().to_string()).context("write the clock")?;
        std::fs::rename(&new, &place).context("set the clock")
    }
}
