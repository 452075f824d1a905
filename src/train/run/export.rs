//! What the page takes along.

use super::{Message, Run};
use crate::interop::InteropError;
use crate::interop::archive::pack;
use crate::interop::export::{export, training_state};
use crate::protocol::Event;
use crate::protocol::export::{ExportCommand, ExportEvent, WeightsAbout};
use crate::train::adopt::saved_state;
use crate::train::trainer::{TrainError, TrainingState};

impl Run {
    /// Answers at once, at the step that the latest submission leads to.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn export(&mut self, command: ExportCommand, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        let (event, bytes) = match command {
            ExportCommand::Weights { request } => self.export_weights(request).await?,
            ExportCommand::Model { training_state } => self.export_model(training_state, messages).await?,
        };
        messages.push((Event::Export { run: self.id, event }, bytes));
        Ok(())
    }

    async fn export_weights(&mut self, request: u32) -> Result<(ExportEvent, Option<Vec<u8>>), TrainError> {
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
        Ok((ExportEvent::Weights { request, about }, Some(bytes)))
    }

    async fn export_model(
        &mut self,
        with_state: bool,
        messages: &mut Vec<Message>,
    ) -> Result<(ExportEvent, Option<Vec<u8>>), TrainError> {
        let state = self.whole_state(with_state, messages).await?;
        let step = state.step;
        Ok(match self.packed(state, with_state) {
            Ok(bytes) => (ExportEvent::Model { step }, Some(bytes)),
            Err(error) => (ExportEvent::NoModel { message: error.to_string() }, None),
        })
    }

    fn packed(&self, state: TrainingState, with_state: bool) -> Result<Vec<u8>, InteropError> {
        let config = self.config();
        let mut files = export(&config.model, &self.tokenizer, &state.params)?;
        if with_state {
            files.push(training_state(&config.model, &saved_state(&config, state))?);
        }
        pack(&files)
    }
}
