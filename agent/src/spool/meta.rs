//! The table of single values.

use redb::{ReadableTable as _, TableDefinition};
use uuid::Uuid;

use super::error::SpoolError;

pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

pub(super) const FORMAT: &str = "format";
pub(super) const LIFE: &str = "life";
pub(super) const LAST: &str = "last";
pub(super) const RELEASED: &str = "released";
pub(super) const STARTED: &str = "started";
pub(super) const STOPPED: &str = "stopped";

pub(super) type Meta<'a> = redb::Table<'a, &'static str, &'static [u8]>;

pub(super) fn number(meta: &Meta<'_>, name: &str) -> Result<Option<u64>, SpoolError> {
    let value = meta.get(name)?;
    Ok(value.and_then(|value| value.value().try_into().ok()).map(u64::from_be_bytes))
}

pub(super) fn id(meta: &Meta<'_>, name: &str) -> Result<Option<Uuid>, SpoolError> {
    let value = meta.get(name)?;
    Ok(value.and_then(|value| Uuid::from_slice(value.value()).ok()))
}
