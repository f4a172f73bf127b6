//! The operators' work for the clinics, by the server's own command line: tokens for terminals, and statements.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::character::{Character, Wish};

/// Runs the server's commands.
#[derive(Clone, Debug)]
pub struct Operator {
    pub program: PathBuf,
    pub config: PathBuf,
}

/// The author of the statements.
const BY: &str = "模擬担当者 (simulated)";

impl Operator {
    /// Creates a token for one terminal of the facility with `code`.
    ///
    /// # Errors
    /// If the server refuses. The error contains its message.
    pub async fn token(&self, code: &str) -> Result<String> {
        self.run(&["token", "issue", "--facility", code]).await
    }

    /// Runs one command and returns its output.
    ///
    /// # Errors
    /// If the command fails. The error contains its message.
    pub async fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String> {
        let output = Command::new(&self.program)
            .arg("--config")
            .arg(&self.config)
            .args(arguments)
            // Only the configuration determines the server.
            .env_remove("YOMITORI_KAFKA")
            .env_remove("YOMITORI_POSTGRES")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("run `{}`; is it built?", self.program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
            bail!("`{} {}`: {}", self.program.display(), words.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// The commands for a person's statements about the clinic with number `index` and with `code`, for facts that no agent
/// can see.
#[must_use]
pub fn statements(index: usize, code: &str) -> Vec<Vec<String>> {
    let statement = |words: &[&str]| {
        let words = words.iter().copied().chain(["--facility", code, "--by", BY]);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    if Character::of(index).phone_native() {
        all.push(statement(&["face-reader", "set", "--model", "canon-hi-cara", "--phone-native", "unknown"]));
    }
    match Wish::of(index) {
        Wish::Unsaid => {}
        Wish::Listed => {
            let why = ["--why", "患者の希望が多い"];
            all.push(statement(&[&["intent", "set", "--intent", "want_listed"][..], &why].concat()));
        }
        Wish::NotListed { called } => {
            let why = ["intent", "set", "--intent", "do_not_want", "--why", "受付の体制が整うまで掲載を望まない"];
            all.push(statement(&why));
            if called {
                all.push(statement(&["call", "record", "--reference", "SIM-0001", "--sure"]));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_clinics_hold_every_wish_and_a_few_calls() {
        let all: Vec<_> = (0..40).flat_map(|index| statements(index, "1319999015")).collect();
        let count = |words: &[&str]| all.iter().filter(|statement| statement.starts_with(&words_of(words))).count();
        assert_eq!(count(&["call", "record"]), 4);
        assert_eq!(count(&["intent", "set", "--intent", "do_not_want"]), 8);
        assert_eq!(count(&["intent", "set", "--intent", "want_listed"]), 6);
        assert_eq!(count(&["face-reader", "set"]), 4);
    }

    fn words_of(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}
