//! The pages, one per file.

pub(super) mod calls;
pub(super) mod facility;
pub(super) mod fleet;
pub(super) mod listing;
pub(super) mod parked;
pub(super) mod record;
pub(super) mod rules;
