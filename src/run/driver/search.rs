//! The learning rate finder of a run, which suspends the run while it searches.

use super::observer::Observer;
use super::{CHUNK_SECONDS, Driver};
use crate::train::lr_finder::Search;
use crate::train::trainer::TrainError;

impl Driver {
    /// Starts the learning rate finder; the run is suspended.
    pub fn find_lr(&mut self) {
        self.search_wanted = true;
    }

    /// Whether the learning rate finder is about to run or running.
    pub(crate) fn is_searching(&self) -> bool {
        self.search_wanted || self.search.is_some()
    }

    /// Ends the search, if there is one, and restores the run.
    ///
    /// # Errors
    /// Never for a configuration that was valid before.
    pub fn stop_search<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        self.search_wanted = false;
        if let Some(search) = self.search.take() {
            observer.lr_found(search.finish(&mut self.trainer)?);
        }
        Ok(())
    }

    /// Runs some steps of the search; returns whether it continues.
    pub(super) async fn search<O: Observer>(&mut self, observer: &mut O) -> Result<bool, TrainError> {
        if std::mem::take(&mut self.search_wanted) && self.search.is_none() {
            self.settle(observer).await?;
            self.search = Some(Search::begin(&mut self.trainer).await?);
        }
        let Some(search) = &mut self.search else { return Ok(false) };
        let (began, mut points, mut over) = (self.clock.now(), Vec::new(), false);
        while !over && self.clock.now() - began < CHUNK_SECONDS {
            match search.step(&mut self.trainer).await? {
                Some(point) => points.push(point),
                None => over = true,
            }
        }
        observer.lr_points(&points);
        if over {
            self.stop_search(observer)?;
        }
        Ok(true)
    }
}
