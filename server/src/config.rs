//! The server's configuration file: it is checked as a whole, and all mistakes are reported together.
//!
//! Addresses that contain secrets may come from the environment: `YOMITORI_POSTGRES`, `YOMITORI_KAFKA`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use tokio_postgres::config::SslMode;
use yomitori_base::document::{self, Mistake, Section};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "failed to read configuration `{path}` (give its path with --config, or see deploy/server.toml for a sample)"
    )]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{path}` has {} mistake(s):\n{}", .mistakes.len(), document::list(.mistakes))]
    Mistakes { path: PathBuf, mistakes: Vec<Mistake> },
}

/// A configuration that has been checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder of the certificate authority. Back it up.
    pub state_dir: PathBuf,
    pub database: Database,
    pub kafka: Kafka,
    pub agents: Agents,
    pub web: Web,
}

/// PostgreSQL.
#[derive(Debug, Clone)]
pub struct Database {
    /// May contain a password.
    pub url: String,
    /// The authorities of the database's certificate, in PEM format; without it connections are not encrypted.
    pub ca_file: Option<PathBuf>,
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

/// Where a missing setting can be looked up.
const SAMPLE: &str = "deploy/server.toml";

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
    pub fn parse(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Mistake>> {
        document::read(text, SAMPLE, |root| {
            let state_dir = root.required("state_dir", folder);
            let database = root.section("database", |database| {
                let ca_file = database.optional("ca_file", folder);
                let url = from_environment(database, "url", "YOMITORI_POSTGRES", &env, postgres_address)?;
                if ca_file.is_none() && requires_encryption(&url) {
                    database.mistake("ca_file", "is missing: the address asks for TLS (sslmode=require), and nothing says which authority is trusted");
                }
                Some(Database { url, ca_file })
            });
            let kafka = root.section("kafka", |table| kafka(table, &env));
            let agents = root.section("agents", agents);
            let web = root.section("web", |web| {
                let listen = listen(web, ([127, 0, 0, 1], 8080).into(), loopback);
                Web { listen }
            });
            if let (Some(agents), Some(web)) = (&agents, &web)
                && agents.listen == web.listen
            {
                root.mistake("web", "has the same address as `agents.listen`; write another port for one of the two");
            }
            Some(Self { state_dir: state_dir?, database: database??, kafka: kafka??, agents: agents?, web: web? })
        })
    }
}

fn kafka(table: &mut Section<'_>, env: impl Fn(&str) -> Option<String>) -> Option<Kafka> {
    let bootstrap_servers = from_environment(table, "bootstrap_servers", "YOMITORI_KAFKA", env, |text| {
        let is_address = |server: &str| {
            let (host, port) = server.trim().rsplit_once(':').unwrap_or_default();
            !host.is_empty() && !host.contains(['/', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        if text.split(',').all(is_address) {
            Ok(text.to_owned())
        } else {
            Err("is not HOST:PORT, or several of them with commas between".to_owned())
        }
    });
    let topic = table.optional("topic", topic_name).unwrap_or_else(|| "yomitori-facts".to_owned());
    let partitions = small_number(table, "partitions", 1..=1024, 12);
    let replication = small_number(table, "replication", 1..=9, 1);
    Some(Kafka { bootstrap_servers: bootstrap_servers?, topic, partitions, replication })
}

fn agents(table: &mut Section<'_>) -> Agents {
    let listen = listen(table, ([127, 0, 0, 1], 7443).into(), Ok);
    let names = if table.count_present(&["names"]) == 0 {
        vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
    } else {
        table.list("names", host_name)
    };
    if table.is_empty_list("names") {
        table.mistake("names", "lists no host name or address by which agents reach this server");
    }
    let public_address = table.optional("public_address", https_address).unwrap_or_else(|| {
        let first = names.first().map_or("localhost", String::as_str);
        format!("https://{first}:{}", listen.port())
    });
    let unconfirmed_mib = table.number("unconfirmed_mib", 1..=65_536).and_then(|mib| mib.try_into().ok());
    Agents { listen, names, public_address, unconfirmed_mib: unconfirmed_mib.unwrap_or(256) }
}

/// A required setting that the environment variable `variable` overrides, so that a password need not stand in the file.
fn from_environment<T>(
    table: &mut Section<'_>,
    field: &'static str,
    variable: &str,
    env: impl Fn(&str) -> Option<String>,
    check: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    if let Some(text) = env(variable) {
        table.optional(field, |_| Ok(()));
        return check(&text)
            .map_err(|what| table.mistake(field, &format!("{what} (the environment variable {variable} sets it)")))
            .ok();
    }
    let value = table.optional(field, check);
    if table.count_present(&[field]) == 0 {
        table.mistake(field, &format!("is missing; add it (a sample is in {SAMPLE}) or set {variable}"));
    }
    value
}

/// The setting `listen`, or `default`.
fn listen(
    table: &mut Section<'_>,
    default: SocketAddr,
    check: impl Fn(SocketAddr) -> Result<SocketAddr, String>,
) -> SocketAddr {
    let read = |text: &str| {
        let address =
            text.parse::<SocketAddr>().map_err(|_| format!("is not ADDRESS:PORT; write it as \"{default}\""))?;
        check(address)
    };
    table.optional("listen", read).unwrap_or(default)
}

/// Allows loopback addresses only, until people can sign in.
fn loopback(listen: SocketAddr) -> Result<SocketAddr, String> {
    if listen.ip().is_loopback() {
        return Ok(listen);
    }
    Err(format!(
        "is not this machine: the pages have no sign-in yet, so they are available on this machine only; write \
         \"127.0.0.1:{}\" and use an SSH tunnel or a proxy that authenticates people",
        listen.port()
    ))
}

fn small_number(table: &mut Section<'_>, field: &'static str, range: RangeInclusive<u64>, default: i32) -> i32 {
    table.number(field, range).and_then(|number| number.try_into().ok()).unwrap_or(default)
}

fn folder(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty; write the path of a folder".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn postgres_address(text: &str) -> Result<String, String> {
    match text.parse::<tokio_postgres::Config>() {
        Ok(config) if !config.get_hosts().is_empty() || !config.get_hostaddrs().is_empty() => Ok(text.to_owned()),
        // What other programs write for it is not known here, and must not be taken for less.
        _ if text.contains("sslmode=verify") || text.contains("sslrootcert") => {
            Err("names TLS in another way: leave out sslmode and sslrootcert, and write `ca_file`; certificate and name are \
                 always verified"
                .to_owned())
        }
        Ok(_) | Err(_) => Err("is not a PostgreSQL address; write postgres://USER@HOST:PORT/DATABASE".to_owned()),
    }
}

fn requires_encryption(url: &str) -> bool {
    url.parse::<tokio_postgres::Config>().is_ok_and(|config| config.get_ssl_mode() == SslMode::Require)
}

fn topic_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 200 || !text.chars().all(allowed) {
        return Err("may hold letters, digits, `.`, `_` and `-` only, at most 200".to_owned());
    }
    Ok(text.to_owned())
}

fn https_address(text: &str) -> Result<String, String> {
    match text.parse::<axum::http::Uri>() {
        Ok(address) if address.scheme_str() == Some("https") && address.port_u16().is_some() => Ok(text.to_owned()),
        Ok(_) | Err(_) => {
            Err("is not an address for agents; write it as \"https://yomitori.example.jp:7443\"".to_owned())
        }
    }
}

fn host_name(text: &str) -> Result<String, String> {
    match rustls::pki_types::ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("contains `{text}`, which is no host name or address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let text =
            "state_dir = 3\n[kafka]\nbootstrap_servers = 'k:1'\npartitions = 0\n[web]\nlisten = '0.0.0.0:80'\n[wep]\n";
        let mistakes = Config::parse(text, |_| None).unwrap_err();
        for expected in ["wep", "state_dir", "database.url", "kafka.partitions", "web.listen"] {
            let found = mistakes.iter().filter(|mistake| mistake.field == expected).count();
            assert_eq!(found, 1, "{expected} in {mistakes:#?}");
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

    #[test]
    fn a_mistake_names_its_line_or_its_variable() {
        let text = "state_dir = '/s'\n[agents]\nnames = ['a b']\n[kafka]\npartitions = 4096\n";
        let env = |name: &str| (name == "YOMITORI_POSTGRES").then(|| "mysql://x".to_owned());
        let mistakes: Vec<_> = Config::parse(text, env).unwrap_err().iter().map(ToString::to_string).collect();
        for expected in [
            "line 3, `agents.names`: contains `a b`",
            "line 4, `kafka.bootstrap_servers`: is missing; add it (a sample is in deploy/server.toml) or set YOMITORI_KAFKA",
            "line 5, `kafka.partitions`: is not a whole number from 1 to 1024",
            "(the environment variable YOMITORI_POSTGRES sets it)",
        ] {
            assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{expected} in {mistakes:#?}");
        }
        assert_eq!(mistakes.len(), 4, "each is reported once: {mistakes:#?}");
    }
}
