//! What an installer hands over to the service: a configuration, if there is none, and an enrolment token that is used
//! once and then deleted. Both are in one folder that only the agent and administrators can read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::ServerAddress;
use crate::config::{self, Config, ConfigError};
use crate::identity::token::{Token, TokenError};
use crate::spool::Spool;
use crate::{clock, system};
use yomitori_base::file;

/// The configuration that a terminal starts with.
const SAMPLE: &str = include_str!("../../../deploy/windows/agent.toml");
const TOKEN: &str = "enrolment-token";
/// The server accepts no older token.
const TOKEN_LIVES: Duration = Duration::from_secs(24 * 3_600);

/// What the person who installs the agent has entered.
#[derive(Clone, Debug, Default)]
pub struct Handover {
    pub server: Option<ServerAddress>,
    pub token: Option<Token>,
}

/// Why the handover failed.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    #[error("failed to write `{path}` (run this as an administrator)")]
    File { path: PathBuf, source: io::Error },
    #[error("invalid configuration (correct it, or install without SERVER)")]
    Config(#[from] ConfigError),
    #[error("failed to set the server's address: `{path}` has no `address` in [server] (add it)")]
    NoAddress { path: PathBuf },
}

impl Handover {
    /// Parses the texts that an installer passes on; an empty text means that nothing was given.
    pub fn parse(server: &str, token: &str) -> Result<Self, String> {
        let (server, token) = (server.trim(), token.trim());
        let server = if server.is_empty() {
            None
        } else {
            let address = if server.contains("://") { server.to_owned() } else { format!("https://{server}") };
            Some(address.parse().map_err(|why| format!("SERVER `{server}` {why}"))?)
        };
        let token =
            if token.is_empty() { None } else { Some(token.parse().map_err(|error: TokenError| error.to_string())?) };
        Ok(Self { server, token })
    }

    /// Writes it beside the configuration file at `path`. In an existing configuration only the server's address is
    /// replaced, if one is given; spool and certificate are not touched.
    pub fn write(&self, path: &Path) -> Result<(), HandoverError> {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| HandoverError::File { path, source }
        };
        system::private_folder(folder).map_err(failed(folder))?;
        let (text, found) = match fs::read_to_string(path) {
            Ok(text) => (text, true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (self.sample(folder), false),
            Err(error) => return Err(failed(path)(error)),
        };
        let wanted = match &self.server {
            Some(server) => config::with_server(&text, server)
                .map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })?
                .ok_or_else(|| HandoverError::NoAddress { path: path.to_owned() })?,
            None => text.clone(),
        };
        // Without a server address there is nothing to configure yet.
        if wanted != text || (!found && self.server.is_some()) {
            file::replace(path, wanted.as_bytes()).map_err(failed(path))?;
        }
        if let Some(token) = &self.token {
            let file = token_file(path);
            file::replace(&file, token.text().as_bytes()).map_err(failed(&file))?;
        }
        Ok(())
    }

    fn sample(&self, folder: &Path) -> String {
        let state = folder.join("state");
        SAMPLE.replace(r"C:\ProgramData\Yomitori\state", &state.to_string_lossy())
    }
}

/// The token that was handed over. An invalid or expired token is deleted.
pub fn token(config: &Path) -> io::Result<Option<Token>> {
    let file = token_file(config);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        Err(error) => return Err(error),
    };
    let written = file.metadata()?.modified()?;
    let is_old = std::time::SystemTime::from(clock::now()).duration_since(written).is_ok_and(|age| age > TOKEN_LIVES);
    match text.parse() {
        Ok(token) if !is_old => Ok(Some(token)),
        _ => {
            forget(config)?;
            Ok(None)
        }
    }
}

/// Deletes the token after its use.
pub fn forget(config: &Path) -> io::Result<()> {
    match fs::remove_file(token_file(config)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The files that an agent writes into its folder of state.
pub const STATE: [&str; 14] = [
    "enrolment.key",
    "enrolment.key.new",
    "identity.pem",
    "identity.pem.new",
    "facility.json",
    "facility.json.new",
    "spool.redb",
    "spool.broken.redb",
    "spool.lost",
    "last-watched",
    "sent.jsonl",
    "sent.1.jsonl",
    "sent.missing",
    "check.tmp",
];

/// Deletes what the agent whose configuration is at `path` has written: the certificate, the spool, the record of what was
/// sent, the configuration. Both folders go if nothing else is in them: people may have named any folder.
pub fn purge(path: &Path) -> Result<(), HandoverError> {
    if let Ok(config) = Config::read(path) {
        let ours =
            STATE.iter().map(|name| config.state_dir.join(name)).chain(Spool::paths_of_others(&config.state_dir));
        purge_files(&config.state_dir, ours)?;
    }
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    // Where a configuration can't be read any more, its folder of state is the one of an installation.
    let state = folder.join("state");
    purge_files(&state, STATE.iter().map(|name| state.join(name)).chain(Spool::paths_of_others(&state)))?;
    purge_files(folder, [path.to_owned(), PathBuf::from(new), token_file(path)])
}

/// Deletes these files, and then their folder if it is empty.
fn purge_files(folder: &Path, files: impl IntoIterator<Item = PathBuf>) -> Result<(), HandoverError> {
    for path in files {
        match fs::remove_file(&path) {
            Err(source)
                if source.kind() != io::ErrorKind::NotFound && source.kind() != io::ErrorKind::NotADirectory =>
            {
                return Err(HandoverError::File { path, source });
            }
            _ => {}
        }
    }
    // A folder with other files stays.
    fs::remove_dir(folder).ok();
    Ok(())
}

fn token_file(config: &Path) -> PathBuf {
    config.with_file_name(TOKEN)
}
