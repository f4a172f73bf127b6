//! `relay`: runs on another machine of the clinic's network, for terminals that may not reach the server.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::daemon::stop_requested;
use crate::relay::{Relay, RelayPeer};

const EXAMPLES: &str = "\
Examples / 使用例:
  yomitori-agent relay --server yomitori.example.jp:7443 --terminal 192.168.1.10:7444
  yomitori-agent relay --server yomitori.example.jp:7443 --terminal 192.168.1.10:7444 --terminal 192.168.1.11:7444
  yomitori-agent relay --check …           接続を確認する (go / no-go, then end)

Each terminal's agent.toml has [connect] mode = \"relay\" and listen = the address that is given here.
The relay needs no certificate and no other file; it can't read what it forwards.";

/// How long a terminal that rejects this relay may take to close the connection.
const REFUSES_WITHIN: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct RelayArgs {
    /// The server's address, as in the terminals' agent.toml
    #[arg(long, env = "YOMITORI_RELAY_SERVER", value_name = "HOST:PORT")]
    server: RelayPeer,
    /// A terminal, as its `connect.listen` says; may be repeated
    #[arg(long, required = true, env = "YOMITORI_RELAY_TERMINALS", value_delimiter = ',', value_name = "HOST:PORT")]
    terminal: Vec<RelayPeer>,
    /// Only check whether the terminals and the server can be reached (接続確認)
    #[arg(long)]
    check: bool,
}

pub(super) async fn relay(args: RelayArgs) -> io::Result<ExitCode> {
    let RelayArgs { server, terminal: mut terminals, check: only_check } = args;
    terminals.sort();
    terminals.dedup();
    if only_check {
        return check(&server, &terminals).await;
    }
    let closing = CancellationToken::new();
    let relay = Relay { server, terminals }.run(closing.clone());
    tokio::join!(relay, async {
        stop_requested().await;
        closing.cancel();
    });
    Ok(ExitCode::SUCCESS)
}

async fn check(server: &RelayPeer, terminals: &[RelayPeer]) -> io::Result<ExitCode> {
    let mut todo = false;
    for terminal in terminals {
        let answer = match terminal.dial(WITHIN).await {
            // A terminal that accepts this relay stays silent until it has something to send.
            Ok(stream) => match tokio::time::timeout(REFUSES_WITHIN, stream.peek(&mut [0])).await {
                Ok(Ok(0) | Err(_)) => {
                    Err("端末がこの中継を受け付けません。agent.toml の connect.relays を確認してください / \
                                           rejects this relay; check `connect.relays` in its agent.toml"
                        .to_owned())
                }
                Ok(Ok(_)) | Err(_) => Ok("接続できます / accepts this relay"),
            },
            Err(error) => Err(format!(
                "{error} (端末の電源、connect.listen、ファイアウォールを確認してください / is it on, is its agent running, is `connect.listen` this address, does a firewall block the way?)"
            )),
        };
        todo |= answer.is_err();
        line("端末 terminal", terminal, answer)?;
    }
    let answer = server.dial(WITHIN).await.map(|_| "届きます / reachable; TLS runs between terminal and server");
    todo |= answer.is_err();
    let why = |error| format!("{error} (通信経路を確認してください / check the network and the firewall)");
    line("サーバー server", server, answer.map_err(why))?;
    let verdict = if todo {
        "未完了の項目があります。 / Something has to be done."
    } else {
        "すべて良好です。 / All good."
    };
    writeln!(io::stdout(), "{verdict}")?;
    Ok(ExitCode::from(u8::from(todo)))
}

fn line(what: &str, peer: &RelayPeer, answer: Result<impl Display, String>) -> io::Result<()> {
    match answer {
        Ok(how) => writeln!(io::stdout(), "[ OK ] {what}: {peer} {how}"),
        Err(why) => writeln!(io::stdout(), "[ NG ] {what}: {peer} {why}"),
    }
}
