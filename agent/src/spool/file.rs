//! The database, which is reopened after a disk error because redb rejects further use of an open file.

use redb::{Database, DatabaseError};

use super::error::SpoolError;

type OpenDatabase = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

pub(super) struct File {
    /// `None` after an error, until the next use.
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

    /// The database; it is reopened if the last use failed.
    pub(super) fn database(&mut self) -> Result<&Database, SpoolError> {
        if self.database.is_none()
            && let Some(open) = &self.open
        {
            self.database = Some(open()?);
        }
        self.database.as_ref().ok_or_else(|| SpoolError::from(redb::Error::PreviousIo))
    }

    /// Closes the database after a failed use, so that the next use reopens it.
    pub(super) fn close(&mut self) {
        self.database = None;
    }
}
