//! The server's address.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::ServerName;

/// `https://host:port`. An address without TLS can't be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerAddress {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// The port of an address that names none.
const PORT: u16 = 7443;

impl ServerAddress {
    /// The host's name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The name that the server's certificate must carry.
    #[must_use]
    pub const fn name(&self) -> &ServerName<'static> {
        &self.name
    }
}

impl FromStr for ServerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest =
            text.strip_prefix("https://").ok_or("does not begin with https://; connections are always encrypted")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| "has no port from 1 to 65535 after the colon".to_owned())?)
            }
            _ => (rest, PORT),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        let name = ServerName::try_from(host.clone())
            .map_err(|_| "has no host name or IP address; write it like https://yomitori.example.jp:7443".to_owned())?;
        Ok(Self { host, port, name })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "https://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "https://{}:{}", self.host, self.port)
        }
    }
}
