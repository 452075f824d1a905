//! Profiling of a run's training step.

use super::{Message, Run};
use crate::gpu::context::Context;
use crate::train::profile::profile_step;
use crate::train::trainer::TrainError;
use crate::types::profile::Profile;

impl Run {
    /// Times one step on the run's device, or on the CPU without a context. The run is not changed and continues afterwards.
    ///
    /// # Errors
    /// If a GPU has no timestamp queries, was lost, or rejected a command, or if the run diverged.
    pub async fn profile(
        &mut self,
        context: Option<&Context>,
        messages: &mut Vec<Message>,
    ) -> Result<Profile, TrainError> {
        if self.search.is_none() {
            self.settle().await?;
            messages.push((self.progress(Vec::new()), None));
        }
        profile_step(&mut self.trainer, context).await
    }
}
