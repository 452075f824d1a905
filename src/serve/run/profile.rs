//! Profiling of a run's training step.

use super::PageRun;
use crate::gpu::context::Context;
use crate::train::profile::profile_step;
use crate::train::trainer::TrainError;
use crate::types::profile::Profile;

impl PageRun {
    /// Times one step on the run's device, or on the CPU without a context. The run is not changed and continues afterwards.
    ///
    /// # Errors
    /// If a GPU has no timestamp queries, was lost, or rejected a command, or if the run diverged.
    pub async fn profile(&mut self, context: Option<&Context>) -> Result<Profile, TrainError> {
        if !self.driver.is_searching() {
            self.driver.settle(&mut self.view).await?;
            self.view.flush();
        }
        profile_step(&mut self.driver.trainer, context).await
    }
}
