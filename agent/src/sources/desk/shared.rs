//! The state that all requests to the page share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use yomitori_proto::id::Life;

use super::day::Day;
use super::state::FolderCollection;
use crate::outlet::Outlet;

/// See the head of this file.
pub(super) struct Shared {
    pub(super) port: u16,
    pub(super) life: Life,
    pub(super) collects: Box<dyn Fn() -> FolderCollection + Send + Sync>,
    pub(super) outlet: Outlet,
    pub(super) unsent: Box<dyn Fn() -> u64 + Send + Sync>,
    pub(super) day: Mutex<Day>,
    /// A random secret of this process that only its own pages know.
    pub(super) token: String,
}

impl Shared {
    pub(super) fn day(&self) -> MutexGuard<'_, Day> {
        // Each change is one step, so a writer that panicked left a consistent list.
        self.day.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
