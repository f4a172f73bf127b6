//! Many facilities whose terminals report the same observations directly into the log, and the comparison with the
//! store.

use anyhow::{Result, ensure};

use super::{Fault, Remains, gather, judge};
use crate::bench::traffic;
use crate::world::wait::{self, PATIENCE};
use crate::world::{World, postgres};
use yomitori_simulation::log;

/// The facilities, and the number of their observations.
#[derive(Debug)]
pub struct Crowd {
    pub facilities: u64,
    /// Observations in one record of the log.
    pub batch: usize,
    /// Observations of each facility so far.
    pub observed: usize,
}

impl Crowd {
    /// Appends `more` observations of every facility's terminal, like the server would.
    ///
    /// # Errors
    /// If the log does not confirm them.
    pub async fn append_observations(&mut self, world: &World, more: usize) -> Result<()> {
        let day = traffic::day(&traffic::example()?, (self.observed + more) as u64)?.split_off(self.observed);
        let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
        let (facilities, batch) = (self.facilities, self.batch);
        let append = move || log::append(&address, &topic, traffic::side_by_side(&day, facilities, batch));
        tokio::task::spawn_blocking(append).await??;
        self.observed += more;
        Ok(())
    }

    /// Waits until the store is the fold of the log, by an oracle that reads both.
    ///
    /// # Errors
    /// If the store doesn't reach that state.
    pub async fn is_folded(&self, world: &World) -> Result<()> {
        let mut store = postgres::connect(&world.database).await?;
        wait::until("the store is what the log says", PATIENCE, async || {
            let stored = gather::stored(&mut store).await?;
            let records = world.records().await?;
            let verdict = judge(&Remains { records, stored, ..Remains::default() });
            // There is no agent's journal here.
            let faults = verdict.faults.all().iter().filter(|fault| !matches!(fault, Fault::NotKept { .. }));
            let faults: Vec<String> = faults.map(ToString::to_string).take(5).collect();
            ensure!(faults.is_empty(), "{faults:?}");
            ensure!(verdict.folded == self.observed * usize::try_from(self.facilities)?, "{} folded", verdict.folded);
            Ok(())
        })
        .await
    }
}
