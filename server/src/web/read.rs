//! What pages and the API both read.

pub(super) mod listing;
pub(super) mod parked;
