//! Forms of statements: each is drawn and read from one entry of `statement`.
//!
//! A form changes nothing by itself: its event goes through `ingest::operator`, with who, when and why.

mod draw;
mod entered;
mod once;
mod page;

pub(super) use self::draw::{Drawn, draw};
pub(super) use self::entered::{Entered, is_well_formed, read};
pub(super) use self::once::Once;
pub(super) use self::page::{FormPage, names, recorded, refused};
