//! How much may be held of what terminals have sent and the log has not confirmed. While Kafka is away, every terminal with
//! something to send would otherwise have a batch in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The room is counted in these.
const UNIT: usize = 1024;

/// Room for batches between their arrival and the log's confirmation.
#[derive(Clone)]
pub struct Unconfirmed(Arc<Semaphore>);

/// Gives the room back when it is dropped.
pub struct HeldRoom(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Unconfirmed {
    /// Room for `mib` MiB.
    #[must_use]
    pub fn new(mib: u32) -> Self {
        let units = usize::try_from(mib).unwrap_or(0).saturating_mul(1024 * 1024 / UNIT);
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes room for that number of bytes; `None` if there is none left. The terminal keeps what it sent, and comes again later.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> Option<HeldRoom> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(units).ok().map(HeldRoom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_held_than_there_is_room_for() {
        let room = Unconfirmed::new(1);
        let first = room.hold(UNIT * 1000).unwrap();
        assert!(room.hold(UNIT * 24 + 1).is_none());
        let second = room.hold(UNIT * 24).unwrap();
        assert!(room.hold(1).is_none());
        drop(first);
        assert!(room.hold(UNIT * 1000).is_some());
        drop(second);
    }
}
