//! Many facilities whose terminals tell the same, straight into the log; and whether the store has come to what they told.

use anyhow::{Result, ensure};

use super::{Fault, Remains, gather, judge};
use crate::bench::traffic;
use crate::world::wait::{self, PATIENCE};
use crate::world::{World, log, postgres};

/// The facilities, and how much they have told.
#[derive(Debug)]
pub struct Crowd {
    pub facilities: u64,
    /// Observations in one record of the log.
    pub batch: usize,
    /// Observations of each facility so far.
    pub told: usize,
}

impl Crowd {
    /// Every facility's terminal tells `more` observations, as the server would have appended them.
    ///
    /// # Errors
    /// When the log does not confirm them.
    pub async fn tells(&mut self, world: &World, more: usize) -> Result<()> {
        let day = traffic::day(&traffic::example()?, (self.told + more) as u64)?.split_off(self.told);
        let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
        let (facilities, batch) = (self.facilities, self.batch);
        let append = move || log::append(&address, &topic, traffic::side_by_side(&day, facilities, batch));
        tokio::task::spawn_blocking(append).await??;
        self.told += more;
        Ok(())
    }

    /// Waits until the store is what the log says, by an oracle that reads both.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn is_folded(&self, world: &World) -> Result<()> {
        let mut store = postgres::connect(&world.database).await?;
        wait::until("the store is what the log says", PATIENCE, async || {
            let stored = gather::stored(&mut store).await?;
            let records = world.records().await?;
            let verdict = judge(&Remains { records, stored, ..Remains::default() });
            // No agent kept a journal here.
            let faults = verdict.faults.all().iter().filter(|fault| !matches!(fault, Fault::NobodyKept { .. }));
            let faults: Vec<String> = faults.map(ToString::to_string).take(5).collect();
            ensure!(faults.is_empty(), "{faults:?}");
            ensure!(verdict.folded == self.told * usize::try_from(self.facilities)?, "{} folded", verdict.folded);
            Ok(())
        })
        .await
    }
}
