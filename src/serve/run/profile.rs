//! Profiling of a run's training step.

use super::PageRun;
use crate::gpu::context::Context;
use crate::train::profile::{StepProfile, profile_whole_step};
use crate::train::trainer::TrainError;

impl PageRun {
    /// Times one step on the run's device, or on the CPU without a context. The run is not changed and continues afterwards.
    ///
    /// # Errors
    /// If a GPU has no timestamp queries, was lost, or rejected a command, or if the run diverged.
    pub async fn profile(&mut self, context: Option<&Context>) -> Result<StepProfile, TrainError> {
        if !self.driver.is_searching() {
            self.driver.settle(&mut self.view).await?;
            self.view.flush();
        }
        profile_whole_step(&mut self.driver.trainer, context).await
    }

    /// Names of the tensors of the latest batch.
    pub fn tensor_names(&self) -> Vec<String> {
        self.driver.trainer.tensor_names()
    }

    /// The values of a tensor of the latest batch; `None` for an unknown name.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn tensor(&mut self, name: &str) -> Result<Option<Vec<f32>>, TrainError> {
        self.driver.trainer.tensor_values(name).await
    }
}
