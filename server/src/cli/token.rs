//! `token` issues the one-time token that a technician takes to a site, lists what was issued, and revokes one that went
//! astray.

use clap::Subcommand;
use uuid::Uuid;

use super::output::{Format, FormatArgument, json, note, say, table};
use super::statement::Attribution;
use super::{Context, UsageError};
use crate::clock;
use crate::config::Config;
use crate::identity::Authority;
use crate::ingest::enrol;
use crate::store::token::{self, ListedToken, TokenState};
use crate::store::{authority, facility as facilities};
use crate::when;

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server token issue --facility 1319999015
  yomitori-server token issue --facility 1319999015 --by Suzuki --why 'new terminal' 2>/dev/null > token.txt
  yomitori-server token list
  yomitori-server token list --facility 1319999015 --all --format json
  yomitori-server token revoke --token 018f0000-0000-7000-8000-00000000a001 --by Suzuki --why 'sent to the wrong clinic'";

/// The reason where the technician gives none.
const TO_ENROL: &str = "端末の登録 / to enrol a terminal";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Issue a token that enrols one terminal of the facility, once, within 24 hours. Prints only the token to standard
    /// output, and the instructions to standard error.
    Issue {
        /// One of the facility's institution codes, or its identifier.
        #[arg(long)]
        facility: String,
        #[command(flatten)]
        speaker: Attribution,
    },
    /// List the tokens that can still enrol a terminal, newest first. The secrets are not stored.
    List {
        /// One of the facility's institution codes, or its identifier; the default is all facilities.
        #[arg(long)]
        facility: Option<String>,
        /// Also those that were used, that expired, and that were revoked.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Revoke a token that no terminal has used, so that it enrols none.
    Revoke {
        /// Its name in the list; not the token itself.
        #[arg(long)]
        token: String,
        #[command(flatten)]
        speaker: Attribution,
    },
}

pub(super) async fn run(config: &Config, context: &Context, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Issue { facility, speaker } => issue(config, context, &facility, speaker).await,
        Command::List { facility, all, format } => list(context, facility.as_deref(), !all, format.format).await,
        Command::Revoke { token, speaker } => revoke(context, &token, speaker).await,
    }
}

async fn issue(config: &Config, context: &Context, facility: &str, speaker: Attribution) -> anyhow::Result<()> {
    let stated = speaker.stated(TO_ENROL)?;
    let facility = context.facility(facility).await?;
    let authority = Authority::open(&config.state_dir)?;
    authority.check(&config.state_dir, authority::fingerprint(&context.store).await?.as_deref())?;
    let issued = enrol::issue_token(&context.store, &authority, facility, &stated).await?;
    say(&issued.token);
    let row = facilities::rows(&context.store, Some(facility)).await?.pop();
    let named = row.map(|row| format!("{} {}", row.name, row.code.unwrap_or_default())).unwrap_or_default();
    note(&format!(
        "{named}\n端末で次を実行してください({until} まで、1回限り) / on the terminal, once, before {until} (Japan):\n  \
         yomitori-agent enrol --token TOKEN        ([server] address = \"{}\")\n\
         別の人に渡ったときは / if it goes to somebody else:\n  yomitori-server token revoke --token {} --why …",
        config.agents.public_address,
        issued.id,
        until = when::minute(issued.expires_at)
    ));
    Ok(())
}

async fn list(context: &Context, facility: Option<&str>, usable: bool, format: Format) -> anyhow::Result<()> {
    let facility = match facility {
        Some(text) => Some(context.facility(text).await?),
        None => None,
    };
    let tokens = token::all(&context.store, facility, usable, clock::now()).await?;
    match format {
        Format::Json => json(&tokens),
        Format::Table => {
            let none = tokens.is_empty();
            let rows = tokens.into_iter().map(|found| {
                let terminal = found.terminal.map(|terminal| terminal.to_string()).unwrap_or_default();
                let state = found.state.key().to_owned();
                let (code, name) = (found.code.unwrap_or_default(), found.name.unwrap_or_default());
                let (until, by) = (when::minute(found.expires_at), found.issued_by.unwrap_or_default());
                [found.token.to_string(), state, code, name, by, until, terminal]
            });
            table(["token", "state", "code", "name", "issued by", "until", "terminal"], rows);
            if none && usable {
                note(
                    "使用できるトークンはありません。すべて見るには --all / No token can be used now; --all shows the others.",
                );
            }
            Ok(())
        }
    }
}

async fn revoke(context: &Context, token: &str, speaker: Attribution) -> anyhow::Result<()> {
    let stated = speaker.stated("")?;
    let refused = |ja: &str, en: &str| Err(UsageError(format!("{ja} / {en}")).into());
    // What was typed may be the token itself, and is not repeated.
    let Ok(token) = token.trim().parse::<Uuid>() else {
        return refused(
            "--token には、トークンそのものではなく token list に表示される名前を指定してください",
            "--token takes the name of the token in `token list`, such as 018f0000-0000-7000-8000-00000000a001, and not the \
             token itself",
        );
    };
    match token::revoke(&context.store, token, &stated).await? {
        (true, found) => {
            let (code, name) = found.map(|found| (found.code, found.name)).unwrap_or_default();
            let facility = [name, code].into_iter().flatten().collect::<Vec<_>>().join(" ");
            say(&format!("{facility}: このトークンは使用できなくなりました / this token enrols no terminal any more"));
            Ok(())
        }
        (false, None) => refused(
            "このトークンはありません（token list --all で確かめてください）",
            "there is no such token: see token list --all",
        ),
        (false, Some(ListedToken { terminal: Some(terminal), code, .. })) => refused(
            &format!("端末 {terminal} の登録に使用済みです（端末を失効させるには terminal revoke）"),
            &format!(
                "terminal {terminal} was enrolled with it; to stop the terminal: yomitori-server terminal revoke \
                 --facility {} --terminal {terminal} --why …",
                code.unwrap_or_else(|| "CODE".to_owned())
            ),
        ),
        (false, Some(ListedToken { state: TokenState::Revoked, .. })) => {
            refused("すでに取り消されています", "it is revoked already")
        }
        (false, Some(_)) => refused("有効期限が切れています", "it has expired, and enrols no terminal"),
    }
}
