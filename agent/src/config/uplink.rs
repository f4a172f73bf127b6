//! `[uplink]`: which way this terminal's bytes get out.

use std::net::{IpAddr, SocketAddr};

use super::document::Section;
use super::value::one_of;
use crate::connect::{Mode, RelayAddress};

/// Which fields a way needs depends on it, so they are looked at together.
pub(super) fn way(uplink: &mut Section<'_>) -> Option<Mode> {
    let relayed = uplink.optional("way", |text| one_of(&[("direct", false), ("relay", true)], text));
    let given = uplink.given(&["listen", "relays"]);
    let address = uplink.optional("listen", listen);
    let relays = uplink.list("relays", relay);
    if relayed == Some(true) {
        if uplink.given(&["listen"]) == 0 {
            uplink.mistake(
                "listen",
                "is missing; write this terminal's address on the linkage network, such as \"192.168.1.10:7444\"",
            );
        }
        return Some(Mode::Relay(RelayAddress { address: address?, relays }));
    }
    if given > 0 {
        uplink.mistake(
            "way",
            "is not \"relay\", but `listen` or `relays` is given; write way = \"relay\" or remove them",
        );
    }
    Some(Mode::Direct)
}

/// One interface's: what is open on all of them is open to networks that nobody thought of.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "is no IP address with a port; write it like \"192.168.1.10:7444\"".to_owned())?;
    let ip = address.ip();
    if ip.is_unspecified() || ip.is_multicast() || address.port() == 0 {
        return Err("does not name one interface and port; write this terminal's own address on the linkage network, \
                    such as \"192.168.1.10:7444\""
            .to_owned());
    }
    Ok(address)
}

fn relay(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "holds what is no IP address; write each like \"192.168.1.20\"".to_owned())
}
