//! The agent's configuration file. All of it is checked, and all mistakes are reported at once, each with its line and
//! what to do.

mod connect;
mod software;
mod value;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use yomitori_base::document::{self, Mistake, Section};
use yomitori_observation::pattern::Pattern;
use yomitori_observation::reader;
use yomitori_proto::vocabulary::{CollectionLevel, LinkageFolder, ReaderRole};

use crate::address::ServerAddress;
use crate::connect::Mode;
use value::{absolute, one_of};

pub use software::{Program, Software, VersionFiles};

/// The port of the desk page where the configuration does not set one: `http://127.0.0.1:7480/`.
pub const DESK_PORT: u16 = 7480;

/// The configuration of the agent.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    pub server: ServerAddress,
    pub mode: Mode,
    pub state_dir: PathBuf,
    pub linkage: Vec<WatchedFolder>,
    pub roles: RoleRules,
    pub level: CollectionLevel,
    /// In bytes.
    pub spool_budget: u64,
    /// The port of the desk page on loopback; `None` if the page is turned off.
    pub desk: Option<u16>,
    pub software: Software,
    /// A hash of the file's bytes; shows whether two starts had the same configuration.
    pub hash: u64,
}

/// A linkage folder to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchedFolder {
    pub folder: LinkageFolder,
    pub path: PathBuf,
}

/// The roles of readers; the first rule that matches decides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoleRules(pub(crate) Vec<(Pattern, ReaderRole)>);

impl RoleRules {
    /// Whether the reader is watched: what is no device only if a rule gives it a role.
    #[must_use]
    pub fn watch(&self, raw: &str) -> bool {
        let name = reader::Name::parse(raw);
        !reader::is_virtual(&name) || self.role_of(raw, &name) != ReaderRole::Unknown
    }

    /// The role of a reader; unknown if no rule matches, because only a person knows what it is for.
    #[must_use]
    pub fn role_of(&self, raw: &str, name: &reader::Name) -> ReaderRole {
        let fits = |pattern: &Pattern| pattern.matches(raw) || pattern.matches(name.base());
        self.0.iter().find(|(pattern, _)| fits(pattern)).map_or(ReaderRole::Unknown, |(_, role)| *role)
    }
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("failed to read `{path}` (set the path with --config; a sample is in deploy/agent.toml)")]
    File { path: PathBuf, source: std::io::Error },
    #[error("`{path}` has {} mistake(s):\n{}", .mistakes.len(), document::list(.mistakes))]
    Mistakes { path: PathBuf, mistakes: Vec<Mistake> },
}

impl Config {
    /// Reads and checks the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })
    }

    /// Checks a configuration.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        document::read(text, "deploy/agent.toml", |root| {
            let state_dir = root.required("state_dir", absolute);
            let server = root.section("server", |server| server.required("address", |text| text.parse()));
            let mode = root.section("connect", connect::mode);
            let linkage = root.sections("linkage", |linkage| {
                let folder = linkage.required("folder", folder);
                let path = linkage.required("path", absolute);
                Some(WatchedFolder { folder: folder?, path: path? })
            });
            let roles = root.sections("reader", |reader| {
                let name = reader.required("name", |text| Ok(Pattern::new(text)));
                let role = reader.required("role", role);
                Some((name?, role?))
            });
            let level = root.section("collection", |collection| collection.optional("level", level));
            let budget = root.section("spool", |spool| spool.number("budget_mib", 1..=65_536));
            let versions = root.section("versions", software::versions);
            let programs = root.sections("program", software::program);
            software::check_distinct_components(root, &programs);
            let desk = root.section("desk", |desk| desk.optional("listen", desk_port));
            check_distinct_paths(root, &linkage);
            Some(Self {
                server: server??,
                mode: mode??,
                state_dir: state_dir?,
                linkage,
                roles: RoleRules(roles),
                level: level.flatten().unwrap_or(CollectionLevel::Names),
                spool_budget: budget.flatten().unwrap_or(64) * 1024 * 1024,
                software: Software { versions: versions.unwrap_or_default(), programs },
                desk: desk.flatten().unwrap_or(Some(DESK_PORT)),
                hash: hash(text),
            })
        })
    }
}

/// The document `text` with another server address; `None` if it contains none.
pub fn with_server(text: &str, server: &ServerAddress) -> Result<Option<String>, Vec<Mistake>> {
    document::with_value(text, &["server", "address"], &server.to_string())
}

fn hash(text: &str) -> u64 {
    u64::from_be_bytes(*Sha256::digest(text).first_chunk().expect("a SHA-256 digest has 32 bytes"))
}

fn folder(text: &str) -> Result<LinkageFolder, String> {
    one_of(&[("face", LinkageFolder::Face), ("res", LinkageFolder::Res)], text)
}

fn role(text: &str) -> Result<ReaderRole, String> {
    let words = [
        ("phone", ReaderRole::Phone),
        ("face_auth", ReaderRole::FaceAuth),
        ("staff_login", ReaderRole::StaffLogin),
        ("other", ReaderRole::Other),
    ];
    one_of(&words, text)
}

fn level(text: &str) -> Result<CollectionLevel, String> {
    let words = [
        ("readers", CollectionLevel::Readers),
        ("names", CollectionLevel::Names),
        ("headers", CollectionLevel::Headers),
    ];
    one_of(&words, text)
}

/// The port of a loopback address. The page has no login, so it must not be reachable from other machines.
fn desk_port(text: &str) -> Result<Option<u16>, String> {
    if text == "off" {
        return Ok(None);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if !["127.0.0.1", "[::1]", "localhost"].contains(&host) {
        return Err(format!(
            "is not this terminal; the desk page has no login and is shown on loopback only, so write \
             \"127.0.0.1:{}\" or \"off\"",
            DESK_PORT
        ));
    }
    match port.parse() {
        Ok(port) if port != 0 => Ok(Some(port)),
        _ => Err("has no port from 1 to 65535 after the colon".to_owned()),
    }
}

/// A folder that is watched twice would report every file twice.
fn check_distinct_paths(root: &mut Section<'_>, linkage: &[WatchedFolder]) {
    for (index, watched) in linkage.iter().enumerate() {
        if linkage.iter().take(index).any(|other| other.path == watched.path) {
            root.mistake("linkage", "names one path twice; remove one of the two");
        }
    }
}
