//! `[connect]`: how this terminal reaches the server.

use std::net::{IpAddr, SocketAddr};

use yomitori_base::document::Section;

use super::value::one_of;
use crate::connect::{Mode, RelayAddress};

/// The mode decides which other fields are needed, so all of them are checked together.
pub(super) fn mode(connect: &mut Section<'_>) -> Option<Mode> {
    let is_relay = connect.optional("mode", |text| one_of(&[("direct", false), ("relay", true)], text));
    let given = connect.count_present(&["listen", "relays"]);
    let address = connect.optional("listen", listen);
    let relays = connect.list("relays", relay);
    if is_relay == Some(true) {
        if connect.count_present(&["listen"]) == 0 {
            connect.mistake(
                "listen",
                "is missing; write this terminal's address on the linkage network, such as \"192.168.1.10:7444\"",
            );
        }
        return Some(Mode::Relay(RelayAddress { address: address?, relays }));
    }
    if given > 0 {
        connect.mistake(
            "mode",
            "is not \"relay\", but `listen` or `relays` is given; write mode = \"relay\" or remove them",
        );
    }
    Some(Mode::Direct)
}

/// One interface only: a port that is open on all interfaces is also open to networks that were not considered.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "is not an IP address with a port; write it like \"192.168.1.10:7444\"".to_owned())?;
    let ip = address.ip();
    if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
        return Err("does not name one interface and port; write this terminal's own address on the linkage network, \
                    such as \"192.168.1.10:7444\""
            .to_owned());
    }
    Ok(address)
}

fn relay(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "contains something that is not an IP address; write each like \"192.168.1.20\"".to_owned())
}
