//! Which kernels run in place of others: chosen once for a device, and remembered by the page.

use super::Session;
use super::device::Device;
use crate::config::RunConfig;
use crate::gpu::choices::{Choices, recall, remember};
use crate::gpu::context::Context;
use crate::ops::tuning::memory_key;
use crate::protocol::Event;
use crate::train::trainer::{TrainError, Trainer};

/// What the page has sent of it.
#[derive(Default)]
pub(super) struct Kernels {
    /// What was chosen in earlier visits, and in this one.
    pub memory: String,
    /// What its address tells.
    pub told: String,
}

impl Session {
    /// Tells a device what the page has told and what was chosen for it before.
    ///
    /// # Errors
    /// A sentence when what the page has told makes no sense.
    pub(super) fn recall_kernels(&self, context: &Context) -> Result<(), String> {
        *context.known.borrow_mut() = recall(&self.kernels.memory, &memory_key(context));
        *context.told.borrow_mut() = Choices::parse(&self.kernels.told)?;
        Ok(())
    }

    /// Chooses the kernels that a model trains with, and has the page remember them; a sentence for each that cannot be
    /// used.
    ///
    /// # Errors
    /// A sentence when the model cannot be trained.
    pub(super) async fn choose_kernels(
        &mut self,
        config: &RunConfig,
        device: &mut Device,
    ) -> Result<Vec<String>, String> {
        match self.choose_on(config, device).await {
            // A device that computes wrongly is replaced by the CPU, whatever was asked for.
            Err(error @ TrainError::WrongKernel { .. }) => {
                device.replace_by_cpu(format!("Training on the CPU, which is slower: {error}."));
                self.tell_device(self.run_id, device);
                Ok(Vec::new())
            }
            chosen => chosen.map_err(|error| error.to_string()),
        }
    }

    async fn choose_on(&mut self, config: &RunConfig, device: &Device) -> Result<Vec<String>, TrainError> {
        let Some(context) = &device.context else { return Ok(Vec::new()) };
        let mut sentences: Vec<String> = self.recall_kernels(context).err().into_iter().collect();
        let name = memory_key(context);
        sentences.extend(Trainer::choose_kernels(config, Some(context)).await?);
        let memory = remember(&self.kernels.memory, &name, &context.known.borrow());
        if memory != self.kernels.memory {
            self.kernels.memory.clone_from(&memory);
            self.tell(Event::Kernels { memory });
        }
        Ok(sentences)
    }
}
