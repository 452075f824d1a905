//! A step of the run, timed.

use super::{Message, Run};
use crate::gpu::context::Context;
use crate::protocol::profile::Profile;
use crate::train::profile::profile_step;
use crate::train::trainer::TrainError;

impl Run {
    /// Times one step on the run's device, the CPU without a context. The run stays as it is and goes on afterwards.
    ///
    /// # Errors
    /// When a GPU has no timestamp queries, was lost, or refused a command, or when the numbers ran away.
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
