//! Kernel variants: chosen once per device and stored by the page.

use super::Session;
use super::device::Device;
use crate::config::RunConfig;
use crate::gpu::choices::{Choices, ChoicesError, recall, remember};
use crate::gpu::context::Context;
use crate::gpu::pipeline::Distortion;
use crate::ops::tuning::memory_key;
use crate::train::trainer::{TrainError, Trainer};
use crate::wire::Event;

/// Variants received from the page.
#[derive(Default)]
pub(super) struct Kernels {
    /// The variant cache of earlier visits and this one.
    pub memory: String,
    /// Overrides given in the page's address.
    pub told: String,
}

impl Session {
    /// Compiles changed kernels on the devices of later runs, like a device that computes wrongly; used by tests.
    pub fn distort_kernels(&mut self, change: Distortion) {
        self.distortion = Some(change);
    }

    /// Applies overrides and the variant cache to a device.
    ///
    /// # Errors
    /// If an override is invalid.
    pub(super) fn recall_kernels(&self, context: &Context) -> Result<(), ChoicesError> {
        self.distortion.into_iter().for_each(|change| context.distort(change));
        *context.known.borrow_mut() = recall(&self.kernels.memory, &memory_key(context));
        *context.told.borrow_mut() = Choices::parse(&self.kernels.told)?;
        Ok(())
    }

    /// Chooses the kernel variants for training a model and sends them to the page; returns a message for each variant that
    /// cannot be used.
    ///
    /// # Errors
    /// If the model cannot be trained.
    pub(super) async fn choose_kernels(
        &mut self,
        config: &RunConfig,
        device: &mut Device,
    ) -> Result<Vec<String>, TrainError> {
        match self.choose_on(config, device).await {
            // A device that computes wrong results is replaced by the CPU, even if the GPU was requested explicitly.
            Err(error @ TrainError::WrongKernel { .. }) => {
                device.replace_by_cpu(format!("Training on the CPU, which is slower: {error}."));
                self.tell_device(self.run_id, device);
                Ok(Vec::new())
            }
            chosen => chosen,
        }
    }

    async fn choose_on(&mut self, config: &RunConfig, device: &Device) -> Result<Vec<String>, TrainError> {
        let Some(context) = &device.context else { return Ok(Vec::new()) };
        let refused = self.recall_kernels(context).err();
        let mut sentences: Vec<String> = refused.iter().map(ChoicesError::to_string).collect();
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
