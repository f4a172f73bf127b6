//! The server's configuration file: it is checked as a whole, and all mistakes are reported together.
//!
//! Addresses that contain secrets may come from the environment: `YOMITORI_POSTGRES`, `YOMITORI_KAFKA`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "failed to read configuration `{path}` (give its path with --config, or see deploy/server.toml for a sample)"
    )]
    Read { path: PathBuf, source: std::io::Error },
    #[error("invalid configuration `{path}`:\n{}", .mistakes.iter().map(|m| format!("  - {m}")).collect::<Vec<_>>().join("\n"))]
    Mistakes { path: PathBuf, mistakes: Vec<String> },
}

/// A configuration that has been checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder of the certificate authority. Back it up.
    pub state_dir: PathBuf,
    pub database: String,
    pub kafka: Kafka,
    pub agents: Agents,
    pub web: Web,
}

/// The log.
#[derive(Debug, Clone)]
pub struct Kafka {
    pub bootstrap_servers: String,
    pub topic: String,
    /// Used when the topic is created; later changes have no effect.
    pub partitions: i32,
    pub replication: i32,
}

/// The listener for agents.
#[derive(Debug, Clone)]
pub struct Agents {
    pub listen: SocketAddr,
    /// The host names and addresses that agents use for this server; its certificate contains them.
    pub names: Vec<String>,
    /// The address shown to technicians, such as `https://yomitori.example.jp:7443`.
    pub public_address: String,
    /// How much is held of what terminals sent and the log has not confirmed, in MiB.
    pub unconfirmed_mib: u32,
}

/// The listener for the pages.
#[derive(Debug, Clone)]
pub struct Web {
    pub listen: SocketAddr,
}

/// The tables of the file. Each is parsed separately, so that a mistake in one does not hide those of another.
const TABLES: [&str; 5] = ["state_dir", "database", "kafka", "agents", "web"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseTable {
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KafkaTable {
    bootstrap_servers: Option<String>,
    #[serde(default = "default_topic")]
    topic: String,
    #[serde(default = "default_partitions")]
    partitions: i32,
    #[serde(default = "default_replication")]
    replication: i32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentsTable {
    listen: Option<String>,
    names: Option<Vec<String>>,
    public_address: Option<String>,
    #[serde(default = "default_unconfirmed_mib")]
    unconfirmed_mib: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebTable {
    listen: Option<String>,
}

fn default_topic() -> String {
    "yomitori-facts".to_owned()
}

const fn default_partitions() -> i32 {
    12
}

const fn default_unconfirmed_mib() -> u32 {
    256
}

const fn default_replication() -> i32 {
    1
}

impl Config {
    /// Reads and checks the file at `path`; `env` looks up environment variables.
    ///
    /// # Errors
    /// If the file cannot be read or contains mistakes, all of which are listed.
    pub fn load(path: &Path, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, env).map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })
    }

    /// Checks the text of a configuration file.
    ///
    /// # Errors
    /// Lists every mistake.
    pub fn parse(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let file: toml::Table = text.parse().map_err(|e: toml::de::Error| vec![e.to_string().trim().to_owned()])?;
        let mut mistakes: Vec<String> = file
            .keys()
            .filter(|key| !TABLES.contains(&key.as_str()))
            .map(|key| format!("`{key}` is not a valid setting; the settings are {}", TABLES.join(", ")))
            .collect();

        let state_dir = match file.get("state_dir") {
            Some(toml::Value::String(dir)) if !dir.is_empty() => PathBuf::from(dir),
            Some(_) => wrong(&mut mistakes, "`state_dir` must be the path of a folder"),
            None => wrong(&mut mistakes, "`state_dir` is missing: the folder that holds the certificate authority"),
        };
        let database = table::<DatabaseTable>(&file, "database", &mut mistakes).and_then(|t| t.url);
        let database = match env("YOMITORI_POSTGRES").or(database) {
            Some(url) => match url.parse::<tokio_postgres::Config>() {
                Ok(_) => url,
                Err(_) => wrong(
                    &mut mistakes,
                    "`database.url` is not a PostgreSQL address; write postgres://USER@HOST:PORT/DATABASE",
                ),
            },
            None => wrong(
                &mut mistakes,
                "`database.url` is missing; write postgres://USER@HOST:PORT/DATABASE or set YOMITORI_POSTGRES",
            ),
        };
        let kafka = kafka(&file, env("YOMITORI_KAFKA"), &mut mistakes);
        let agents = agents(&file, &mut mistakes);
        let web = table::<WebTable>(&file, "web", &mut mistakes).and_then(|t| t.listen);
        let web = Web { listen: web_listen(web.as_deref().unwrap_or("127.0.0.1:8080"), &mut mistakes) };
        if mistakes.is_empty() { Ok(Self { state_dir, database, kafka, agents, web }) } else { Err(mistakes) }
    }
}

fn kafka(file: &toml::Table, servers: Option<String>, mistakes: &mut Vec<String>) -> Kafka {
    let given = table::<KafkaTable>(file, "kafka", mistakes);
    let (topic, partitions, replication, configured) = match given {
        Some(t) => (t.topic, t.partitions, t.replication, t.bootstrap_servers),
        None => (default_topic(), default_partitions(), default_replication(), None),
    };
    let bootstrap_servers = servers.or(configured).unwrap_or_else(|| {
        wrong(mistakes, "`kafka.bootstrap_servers` is missing; write HOST:PORT or set YOMITORI_KAFKA")
    });
    let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if topic.is_empty() || topic.len() > 200 || !topic.chars().all(word) {
        mistakes.push("`kafka.topic` may hold letters, digits, `.`, `_` and `-` only".to_owned());
    }
    if !(1..=1024).contains(&partitions) {
        mistakes.push(format!("`kafka.partitions` is {partitions}; it must lie between 1 and 1024"));
    }
    if !(1..=9).contains(&replication) {
        mistakes.push(format!("`kafka.replication` is {replication}; it must lie between 1 and 9"));
    }
    Kafka { bootstrap_servers, topic, partitions, replication }
}

fn agents(file: &toml::Table, mistakes: &mut Vec<String>) -> Agents {
    let given = table::<AgentsTable>(file, "agents", mistakes);
    let (listen, names, public_address, unconfirmed_mib) = match given {
        Some(t) => (t.listen, t.names, t.public_address, t.unconfirmed_mib),
        None => (None, None, None, default_unconfirmed_mib()),
    };
    if !(1..=65_536).contains(&unconfirmed_mib) {
        mistakes.push(format!("`agents.unconfirmed_mib` is {unconfirmed_mib}; it must lie between 1 and 65536"));
    }
    let listen = listen.unwrap_or_else(|| "127.0.0.1:7443".to_owned());
    let listen = address(&listen, "agents.listen", mistakes);
    let names = names.unwrap_or_else(|| vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
    if names.is_empty() || names.iter().any(|name| rustls::pki_types::ServerName::try_from(name.as_str()).is_err()) {
        mistakes
            .push("`agents.names` must list the host names or addresses that agents use for this server".to_owned());
    }
    let first = names.first().map_or("localhost", String::as_str);
    let public_address = public_address.unwrap_or_else(|| format!("https://{first}:{}", listen.port()));
    Agents { listen, names, public_address, unconfirmed_mib }
}

/// Allows loopback addresses only, until people can sign in.
fn web_listen(text: &str, mistakes: &mut Vec<String>) -> SocketAddr {
    let listen = address(text, "web.listen", mistakes);
    if !listen.ip().is_loopback() {
        mistakes.push(format!(
            "`web.listen` is {listen}: the pages have no sign-in yet, so they are available on this machine only; \
            write 127.0.0.1:{} and use an SSH tunnel or a proxy that authenticates people",
            listen.port()
        ));
    }
    listen
}

fn address(text: &str, setting: &str, mistakes: &mut Vec<String>) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        mistakes.push(format!("`{setting}` is `{text}`; write ADDRESS:PORT, such as 127.0.0.1:8080"));
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn table<T: for<'de> Deserialize<'de>>(file: &toml::Table, name: &str, mistakes: &mut Vec<String>) -> Option<T> {
    let value = file.get(name)?.clone();
    value.try_into().map_err(|e: toml::de::Error| mistakes.push(format!("`{name}`: {}", e.message()))).ok()
}

fn wrong<T: Default>(mistakes: &mut Vec<String>, mistake: &str) -> T {
    mistakes.push(mistake.to_owned());
    T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_at_once() {
        let text =
            "state_dir = 3\n[kafka]\nbootstrap_servers = 'k:1'\npartitions = 0\n[web]\nlisten = '0.0.0.0:80'\n[wep]\n";
        let mistakes = Config::parse(text, |_| None).unwrap_err();
        for expected in ["`wep`", "`state_dir`", "`database.url`", "`kafka.partitions`", "`web.listen`"] {
            assert_eq!(mistakes.iter().filter(|m| m.contains(expected)).count(), 1, "{expected} in {mistakes:#?}");
        }
    }

    #[test]
    fn the_sample_configuration_is_right() {
        let config = Config::parse(include_str!("../../deploy/server.toml"), |_| None).unwrap();
        assert_eq!(config.kafka.partitions, 12);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let env = |name: &str| (name == "YOMITORI_KAFKA").then(|| "elsewhere:9092".to_owned());
        let config = Config::parse(include_str!("../../deploy/server.toml"), env).unwrap();
        assert_eq!(config.kafka.bootstrap_servers, "elsewhere:9092");
    }
}
