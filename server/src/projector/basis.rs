//! By what facilities are folded: the rules and the calendar of now.

use crate::store::ground::{self, Ground};
use crate::store::{Store, StoreError};

pub(super) struct Basis {
    /// The newest fact that it follows from, by its place in the log.
    newest: Option<i64>,
    pub(super) ground: Ground,
}

impl Basis {
    pub(super) async fn now(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { newest: ground::newest(store).await?, ground: ground::now(store).await? })
    }

    /// Takes in what has been adopted since, whichever instance folded it; says whether anything else holds now.
    pub(super) async fn renew(&mut self, store: &Store) -> Result<bool, StoreError> {
        let newest = ground::newest(store).await?;
        if newest == self.newest {
            return Ok(false);
        }
        let ground = ground::now(store).await?;
        let other = ground != self.ground;
        (self.newest, self.ground) = (newest, ground);
        Ok(other)
    }
}
