//! Which kernels run in place of others: chosen once for a device, and remembered by the page.

use super::Session;
use super::device::Device;
use crate::config::RunConfig;
use crate::gpu::choices::{Choices, recall, remember};
use crate::protocol::Event;
use crate::train::trainer::Trainer;

/// What the page has sent of it.
#[derive(Default)]
pub(super) struct Kernels {
    /// What was chosen in earlier visits, and in this one.
    pub memory: String,
    /// What its address tells.
    pub told: String,
}

impl Session {
    /// Chooses the kernels that a model trains with, and has the page remember them; a sentence for each that cannot be
    /// used.
    pub(super) async fn choose_kernels(&mut self, config: &RunConfig, device: &Device) -> Result<Vec<String>, String> {
        let Some(context) = &device.context else { return Ok(Vec::new()) };
        let (told, mut sentences) = match Choices::parse(&self.kernels.told) {
            Ok(told) => (told, Vec::new()),
            Err(problem) => (Choices::default(), vec![problem]),
        };
        *context.told.borrow_mut() = told;
        let name = context.device_name();
        *context.known.borrow_mut() = recall(&self.kernels.memory, &name);
        let wrong = Trainer::choose_kernels(config, Some(context)).await.map_err(|error| error.to_string())?;
        sentences.extend(wrong);
        let memory = remember(&self.kernels.memory, &name, &context.known.borrow());
        if memory != self.kernels.memory {
            self.kernels.memory.clone_from(&memory);
            self.tell(Event::Kernels { memory });
        }
        Ok(sentences)
    }
}
