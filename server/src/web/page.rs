//! The pages, one per file.

pub(super) mod as_of;
pub(super) mod call_centre;
pub(super) mod calls;
pub(super) mod csv;
pub(super) mod facility;
pub(super) mod fleet;
pub(super) mod layout;
pub(super) mod listing;
pub(super) mod paging;
pub(super) mod parked;
pub(super) mod part;
pub(super) mod path;
pub(super) mod record;
pub(super) mod request;
pub(super) mod rules;
pub(super) mod text;
pub(super) mod when;
pub(super) mod word;
