//! To whom the spool belongs: a terminal, by the identifier of its present enrolment, and its facility.
//!
//! A terminal that is enrolled again for the same facility gets another identifier. It goes on with its life and its
//! numbers, so that nothing that it has kept is lost. What was sent under the former identifier and never acknowledged
//! may be in the log; the server finds it there by that identifier.

use redb::ReadableTable as _;
use uuid::Uuid;
use yomitori_proto::id::{FacilityId, Seq, TerminalId};
use yomitori_proto::uplink::{Hello, Peer};

use super::error::{OpenError, SpoolError};
use super::meta::{Meta, id};

const TERMINAL: &str = "terminal";
/// Absent in a spool that only an older version has opened.
const FACILITY: &str = "facility";
/// The first terminal; absent while there is only one.
const FIRST: &str = "first-terminal";
const FORMER: &str = "former-terminals";
/// An identifier and the last number of its time.
const FORMER_BYTES: usize = 24;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) first: TerminalId,
    /// The former terminals, the latest last, each with the last number of its time.
    former: Vec<(TerminalId, Seq)>,
}

impl Owner {
    /// The former terminals in whose time `next` or a later number was assigned.
    pub(super) fn former_of(&self, next: Seq) -> Vec<TerminalId> {
        self.former.iter().filter(|(_, last)| *last >= next).map(|(terminal, _)| *terminal).collect()
    }
}

/// The owner of an opened spool.
pub(super) struct Claim {
    pub(super) owner: Owner,
    /// Whether the spool did not know it as such.
    pub(super) is_new: bool,
}

/// Gives a new spool to its first owner.
pub(super) fn give(meta: &mut Meta<'_>, peer: Peer) -> Result<(), SpoolError> {
    meta.insert(TERMINAL, peer.terminal.0.as_bytes().as_slice())?;
    meta.insert(FACILITY, peer.facility.0.as_bytes().as_slice())?;
    Ok(())
}

/// Claims the spool for `peer`. `last` and `released` are its ends.
pub(super) fn claim(meta: &mut Meta<'_>, peer: Peer, last: Seq, released: Seq) -> Result<Claim, OpenError> {
    let (terminal, facility) = (id(meta, TERMINAL)?, id(meta, FACILITY)?.map(FacilityId));
    let is_same_terminal = terminal == Some(peer.terminal.0);
    if facility != Some(peer.facility) && !(is_same_terminal && facility.is_none()) {
        return Err(OpenError::OtherOwner { facility });
    }
    let mut former = former(meta)?;
    if let Some(before) = terminal.filter(|_| !is_same_terminal) {
        if id(meta, FIRST)?.is_none() {
            meta.insert(FIRST, before.as_bytes().as_slice()).map_err(SpoolError::from)?;
        }
        former.push((TerminalId(before), last));
        former.retain(|(_, last)| *last > released);
        former.drain(..former.len().saturating_sub(Hello::FORMER));
        let value: Vec<u8> =
            former.iter().flat_map(|(id, last)| [id.to_bytes(), last.0.to_be_bytes().to_vec()].concat()).collect();
        meta.insert(FORMER, value.as_slice()).map_err(SpoolError::from)?;
    }
    let is_new = !is_same_terminal || facility.is_none();
    if is_new {
        give(meta, peer)?;
    }
    let first = id(meta, FIRST)?.map_or(peer.terminal, TerminalId);
    Ok(Claim { owner: Owner { first, former }, is_new })
}

fn former(meta: &Meta<'_>) -> Result<Vec<(TerminalId, Seq)>, SpoolError> {
    let Some(value) = meta.get(FORMER)? else { return Ok(Vec::new()) };
    let one = |bytes: &[u8]| {
        let (id, last) = bytes.split_first_chunk::<16>()?;
        Some((TerminalId(Uuid::from_bytes(*id)), Seq(u64::from_be_bytes(last.try_into().ok()?))))
    };
    Ok(value.value().chunks_exact(FORMER_BYTES).filter_map(one).collect())
}
