//! The command line of `yomitori-fleet`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use yomitori_agent::address::ServerAddress;

use super::facility::{self, Facility};
use super::ledger::Ledger;
use super::operator::{self, Operator};
use super::profile::Profile;
use super::roster::Tokens;
use super::{News, Plan};
use crate::clock;

const EXAMPLES: &str = "Examples:
  yomitori-fleet facilities --clinics 40 > facilities.csv
  yomitori-server facility import facilities.csv
  yomitori-fleet run --clinics 40 --server https://127.0.0.1:7443 \\
    --server-program target/release/yomitori-server --server-config server.toml
  yomitori-fleet run --clinics 200 --profile monday-morning --for 120 --tokens tokens.csv --oracle ledger.jsonl";

/// 模擬クリニック — simulated clinics that use Yomitori's real protocol.
#[derive(Parser)]
#[command(name = "yomitori-fleet", version, propagate_version = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print invented facilities as a table for `yomitori-server facility import`.
    Facilities(Fleet),
    /// Enrol a terminal for each clinic without one, and run the clinics until SIGTERM or Ctrl-C.
    #[command(after_help = EXAMPLES)]
    Run(Box<Run>),
}

#[derive(Args)]
struct Fleet {
    /// Number of clinics; no district has codes for more than 300,000.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=300_000))]
    clinics: u32,
    /// The same number gives the same clinics and the same lives.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    fleet: Fleet,
    /// Address of the server's uplink.
    #[arg(long, default_value = "https://127.0.0.1:7443")]
    server: ServerAddress,
    /// The server's program: creates tokens and records people's statements about the clinics.
    #[arg(long, alias = "server-bin", requires = "server_config", required_unless_present = "tokens")]
    server_program: Option<PathBuf>,
    /// The server's configuration file.
    #[arg(long, alias = "config")]
    server_config: Option<PathBuf>,
    /// Existing tokens, as lines of `code,token`.
    #[arg(long, conflicts_with = "server_program")]
    tokens: Option<PathBuf>,
    /// Folder of the terminals' identities.
    #[arg(long, default_value = "target/fleet")]
    state: PathBuf,
    /// The clinics' way of life.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Duration of a clinic's day in seconds; by default 60, in a demonstration a real day.
    #[arg(long, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    day: Option<u64>,
    /// End after this number of seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    for_s: Option<u64>,
    /// At the end, write everything that was kept to this file, as lines of JSON.
    #[arg(long, value_name = "FILE")]
    oracle: Option<PathBuf>,
    /// Print errors only.
    #[arg(long)]
    quiet: bool,
}

impl Fleet {
    const fn clinics(&self) -> usize {
        self.clinics as usize
    }
}

/// Runs the command line of this process.
pub async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Facilities(fleet) => {
            let facilities = facility::invent(fleet.clinics(), fleet.seed);
            say(&facility::table(&facilities)).context("print the table")
        }
        Command::Run(run) => live(*run).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "yomitori-fleet: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn live(run: Run) -> Result<()> {
    let closing = CancellationToken::new();
    end_on_signals(run.for_s.map(Duration::from_secs), closing.clone())?;
    let ledger = run.oracle.as_ref().map(|_| Ledger::default());
    let clinics = run.fleet.clinics();
    let quiet = run.quiet;
    let tokens = match (run.tokens, run.server_program, run.server_config) {
        (Some(file), _, _) => {
            if !quiet {
                advise(&facility::invent(clinics, run.fleet.seed));
            }
            let text = std::fs::read_to_string(&file).with_context(|| format!("read `{}`", file.display()))?;
            Tokens::parse(&text).with_context(|| format!("parse `{}`", file.display()))?
        }
        (None, Some(program), Some(config)) => Tokens::Operator(Operator { program, config }),
        (None, _, _) => anyhow::bail!("--server-program needs --server-config"),
    };
    let plan = Plan {
        server: run.server,
        clinics,
        seed: run.fleet.seed,
        profile: run.profile,
        day: run.day.map_or(run.profile.usual_day(), Duration::from_secs),
        state: run.state,
        tokens,
        ledger: ledger.clone(),
    };
    let ended = super::run(plan, closing, |news| {
        if !quiet {
            report(news);
        }
    })
    .await;
    if let Some((file, ledger)) = run.oracle.zip(ledger) {
        ledger.save(&file)?;
    }
    ended.map(drop)
}

fn end_on_signals(after: Option<Duration>, closing: CancellationToken) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    tokio::spawn(async move {
        let over = async {
            match after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            () = over => {}
        }
        closing.cancel();
    });
    Ok(())
}

/// Prints the statements that the simulator can't make without a server's command line.
fn advise(facilities: &[Facility]) {
    print_line("サーバーで次を実行すると、全ての状態が揃います / run these at the server to see every state:");
    for (index, facility) in facilities.iter().enumerate() {
        for words in operator::statements(index, facility.code().as_str()) {
            let quoted = words.iter().map(|word| if word.contains(' ') { format!("'{word}'") } else { word.clone() });
            print_line(&format!("  yomitori-server {}", quoted.collect::<Vec<_>>().join(" ")));
        }
    }
}

fn report(news: News) {
    match news {
        News::Enrolled { ready, of } if ready == of || ready.is_multiple_of(of.div_ceil(10)) => {
            print_line(&format!("登録 / enrolled {ready}/{of}"));
        }
        News::Enrolled { .. } => {}
        News::Counted(count) => print_line(&format!(
            "{} UTC  接続 / lines {}/{}  記録 / kept {}  確認済 / acknowledged {}",
            clock::now().format("%H:%M:%S"),
            count.lines,
            count.terminals,
            count.kept,
            count.acknowledged
        )),
    }
}

/// Prints a progress line; a closed output doesn't stop the clinics.
fn print_line(line: &str) {
    say(&format!("{line}\n")).ok();
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_quick_start_s_command_line_is_understood() {
        Arguments::command().debug_assert();
        let run = "yomitori-fleet run --clinics 5 --state s --server https://127.0.0.1:1 --server-program p --server-config c";
        assert!(Arguments::try_parse_from(run.split(' ')).is_ok());
        let demonstration = format!("{run} --profile demonstration --day 86400");
        assert!(Arguments::try_parse_from(demonstration.split(' ')).is_ok());
        assert!(Arguments::try_parse_from("yomitori-fleet facilities --clinics 5".split(' ')).is_ok());
        for wrong in ["run", "run --server-program p", "run --tokens t --day 1", "facilities --clinics 0"] {
            assert!(
                Arguments::try_parse_from(["yomitori-fleet"].into_iter().chain(wrong.split(' '))).is_err(),
                "{wrong}"
            );
        }
    }
}
