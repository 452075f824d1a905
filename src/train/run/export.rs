//! What the page takes along.

use super::{Message, Run};
use crate::protocol::Event;
use crate::protocol::export::{ExportCommand, ExportEvent, WeightsAbout};
use crate::train::trainer::TrainError;

impl Run {
    /// Answers at once, at the step that the latest submission leads to.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn export(&mut self, command: ExportCommand, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let ExportCommand::Weights { request } = command;
        self.settle().await?;
        let numbers = self.trainer.attention_weights(&self.probe).await?;
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let config = self.config();
        let about = WeightsAbout {
            step: self.trainer.step(),
            seed: config.train.seed,
            tokens: self.probe_tokens(),
            n_layers: config.model.n_layers,
            n_heads: config.model.n_heads,
            causal: config.model.causal,
            kept_as_bytes: false,
        };
        let event = Event::Export { run: self.id, event: ExportEvent::Weights { request, about } };
        messages.push((event, Some(bytes)));
        Ok(())
    }
}
