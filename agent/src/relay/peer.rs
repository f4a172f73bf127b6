//! An address that the relay connects to.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::connect::{dial, socket};

/// `host:port`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RelayPeer {
    host: String,
    port: u16,
}

impl RelayPeer {
    /// Connects `within` the given time.
    pub async fn dial(&self, within: Duration) -> io::Result<TcpStream> {
        let connected = tokio::time::timeout(within, dial(&self.host, self.port)).await;
        let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        socket::prepare(&stream)?;
        Ok(stream)
    }
}

impl FromStr for RelayPeer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const LIKE: &str = "write it like 192.168.1.10:7444 or yomitori.example.jp:7443";
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("has no port; {LIKE}"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_:%".contains(letter);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(format!("has no host name or IP address; {LIKE}"));
        }
        match port.parse() {
            Ok(port) if port != 0 => Ok(Self { host: host.to_owned(), port }),
            _ => Err(format!("has no port from 1 to 65535 after the colon; {LIKE}")),
        }
    }
}

impl fmt::Display for RelayPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_peer_is_a_host_and_a_port() {
        for text in ["192.168.1.10:7444", "[fd00::1]:1", "yomitori.example.jp:7443"] {
            assert_eq!(text.parse::<RelayPeer>().unwrap().to_string(), text);
        }
        for text in ["", ":", "host", "host:", "host:0", "host:65536", ":80", "https://host:80", "a b:1"] {
            assert!(text.parse::<RelayPeer>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_peer_or_a_mistake(text in ".*") {
            if let Ok(peer) = text.parse::<RelayPeer>() {
                prop_assert_eq!(peer.to_string().parse::<RelayPeer>(), Ok(peer));
            }
        }
    }
}
