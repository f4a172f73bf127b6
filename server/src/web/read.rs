//! Queries that pages and the API share.

pub(super) mod listing;
pub(super) mod parked;
