//! The database, and how it is had again: after an error of the disk redb does nothing more with what it has open.

use redb::{Database, DatabaseError};

use super::error::SpoolError;

type OpenDatabase = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

pub(super) struct File {
    /// `None` from an error until the next use.
    database: Option<Database>,
    open: Option<OpenDatabase>,
}

impl File {
    pub(super) const fn new(database: Database) -> Self {
        Self { database: Some(database), open: None }
    }

    pub(super) fn reopened_by(&mut self, open: OpenDatabase) {
        self.open = Some(open);
    }

    /// The database, opened again if the last use has failed.
    pub(super) fn database(&mut self) -> Result<&Database, SpoolError> {
        if self.database.is_none()
            && let Some(open) = &self.open
        {
            self.database = Some(open()?);
        }
        self.database.as_ref().ok_or_else(|| SpoolError::from(redb::Error::PreviousIo))
    }

    /// The last use has failed: the next one shall not meet what it left open.
    pub(super) fn close(&mut self) {
        self.database = None;
    }
}
