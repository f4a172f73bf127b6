//! The agent's commands. Answers go to standard output, errors and logs to standard error. The exit code is 0 for
//! success, 1 if something has to be done, and 2 if the command or the configuration is wrong.

mod check;
mod enrol;
mod failure;
mod readers;
mod relay;
mod sent;
#[cfg(any(windows, test))]
mod service;
#[cfg(windows)]
mod service_run;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::daemon::{self, stop_requested};
use crate::{VERSION, telemetry};
use failure::Failure;
use yomitori_base::error::chain;

const EXAMPLES: &str = "\
Examples / 使用例:
  yomitori-agent enrol --token ytm1.…      登録する (once, with a token from the server)
  yomitori-agent check                     設置を確認する (checks the setup: go / no-go)
  yomitori-agent readers                   カードリーダーの動きを見る (live, Ctrl-C ends)
  yomitori-agent sent --last 20            送信した内容を見る (everything that this terminal sent)
  yomitori-agent relay --help              中継する (for terminals that may not reach the server)
  yomitori-agent run                       常駐する (what the service does)";

#[cfg(unix)]
const CONFIG: &str = "/etc/yomitori/agent.toml";
#[cfg(not(unix))]
const CONFIG: &str = r"C:\ProgramData\Yomitori\agent.toml";

/// Watches smartphone reads on an eligibility terminal (資格確認端末) and reports them to the server
#[derive(Parser, Debug)]
#[command(name = "yomitori-agent", version = VERSION, after_help = EXAMPLES)]
struct Args {
    /// The configuration file
    #[arg(long, global = true, env = "YOMITORI_AGENT_CONFIG", default_value = CONFIG, value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Watch, store and send until stopped (常駐)
    Run,
    /// Get this terminal's certificate, once (登録)
    Enrol {
        /// The one-time token that `yomitori-server token issue` printed
        #[arg(long, env = "YOMITORI_TOKEN", hide_env_values = true)]
        token: String,
        /// Enrol even if this terminal already has a certificate
        #[arg(long)]
        again: bool,
    },
    /// Check the setup and say what has to be done (設置確認)
    Check,
    /// Show readers, cards and phones as they come and go (リーダー表示)
    Readers,
    /// Show everything that this terminal sent (送信内容)
    Sent {
        /// The number of lines
        #[arg(long, default_value_t = 20, value_name = "N")]
        last: usize,
        /// Continue with what is sent from now on
        #[arg(long)]
        follow: bool,
    },
    /// The commands of the Windows service and its installer (サービス)
    #[cfg(windows)]
    Service(service::ServiceArgs),
    /// Forward the bytes of terminals that may not reach the server, from another machine of their network (中継)
    Relay(relay::RelayArgs),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse();
    #[cfg(windows)]
    if let Command::Service(command) = &args.command {
        return service_run::carry_out(command, args.config);
    }
    telemetry::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a process can have a runtime");
    let result = runtime.block_on(carry_out(args.command, &args.config));
    // A thread that hangs in PC/SC must not delay the exit.
    runtime.shutdown_background();
    let (error, code) = match result {
        Ok(code) => return code,
        Err(Failure::Usage(error)) => (error, ExitCode::from(2)),
        Err(Failure::Todo(error)) => (error, ExitCode::from(1)),
    };
    // If standard error is closed, only the exit code remains.
    let _ = writeln!(io::stderr(), "yomitori-agent: {}", chain(error.as_ref()));
    code
}

async fn carry_out(command: Command, path: &Path) -> Result<ExitCode, Failure> {
    match command {
        Command::Run => daemon::run(Config::read(path)?, stop_requested()).await.map_err(anyhow::Error::from)?,
        Command::Enrol { token, again } => enrol::enrol(&Config::read(path)?, &token, again).await?,
        Command::Check => return Ok(check::check(path).await?),
        Command::Readers => readers::readers(Config::read(path)?).await?,
        Command::Sent { last, follow } => sent::sent(&Config::read(path)?, last, follow).await?,
        #[cfg(windows)]
        Command::Service(_) => unreachable!("it needs no runtime, so it was carried out before there was one"),
        Command::Relay(args) => return Ok(relay::relay(args).await?),
    }
    Ok(ExitCode::SUCCESS)
}
