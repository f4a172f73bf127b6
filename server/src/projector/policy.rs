//! The policy by which facilities are folded: the rules and the calendar in force.

use crate::store::policy::{self, Policy};
use crate::store::{Store, StoreError};

pub(super) struct CurrentPolicy {
    /// The position of the newest fact that it follows from.
    newest: Option<i64>,
    pub(super) policy: Policy,
}

impl CurrentPolicy {
    pub(super) async fn now(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { newest: policy::newest(store).await?, policy: policy::now(store).await? })
    }

    /// Reads what has been adopted since, by any instance; returns whether the policy changed.
    pub(super) async fn renew(&mut self, store: &Store) -> Result<bool, StoreError> {
        let newest = policy::newest(store).await?;
        if newest == self.newest {
            return Ok(false);
        }
        let policy = policy::now(store).await?;
        let other = policy != self.policy;
        (self.newest, self.policy) = (newest, policy);
        Ok(other)
    }
}
