//! Exports of a run.

use super::PageRun;
use crate::interop::InteropError;
use crate::interop::archive::pack;
use crate::interop::export::{NamedFile, export, training_state};
use crate::train::import::saved_state;
use crate::train::trainer::{TrainError, TrainingState};
use crate::types::FileInfo;
use crate::types::attention_weights::WeightsAbout;
use crate::wire::Event;
use crate::wire::export::{ExportCommand, ExportEvent};

impl PageRun {
    /// Exports the state after the latest submission immediately.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn export(&mut self, command: ExportCommand) -> Result<(), TrainError> {
        let (event, bytes) = match command {
            ExportCommand::Weights { request } => self.export_weights(request).await?,
            ExportCommand::Model { loose, training_state } => self.export_model(loose, training_state).await?,
        };
        self.view.messages.push((Event::Export { run: self.id(), event }, bytes));
        Ok(())
    }

    async fn export_weights(&mut self, request: u32) -> Result<(ExportEvent, Option<Vec<u8>>), TrainError> {
        self.driver.settle(&mut self.view).await?;
        let numbers = self.driver.trainer.attention_weights(&self.view.probe).await?;
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let config = self.driver.config();
        let about = WeightsAbout {
            step: self.driver.trainer.step(),
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
        loose: bool,
        with_state: bool,
    ) -> Result<(ExportEvent, Option<Vec<u8>>), TrainError> {
        let state = self.driver.whole_state(with_state, &mut self.view).await?;
        self.view.flush();
        let step = state.step;
        let files = self.files(state, with_state);
        let answer = files.and_then(|files| match loose {
            true => Ok(in_a_row(step, files)),
            false => Ok((ExportEvent::Model { step }, pack(&files)?)),
        });
        Ok(match answer {
            Ok((event, bytes)) => (event, Some(bytes)),
            Err(error) => (ExportEvent::NoModel { message: error.to_string() }, None),
        })
    }

    fn files(&self, state: TrainingState, with_state: bool) -> Result<Vec<NamedFile>, InteropError> {
        let config = self.driver.config();
        let mut files = export(&config.model, &self.driver.tokenizer, &state.params)?;
        if with_state {
            files.push(training_state(&config.model, &saved_state(&config, state))?);
        }
        Ok(files)
    }
}

/// Concatenates files and describes them.
fn in_a_row(step: u64, files: Vec<NamedFile>) -> (ExportEvent, Vec<u8>) {
    let info = |(name, bytes): &NamedFile| FileInfo { name: (*name).into(), size: bytes.len(), fields: Vec::new() };
    let infos = files.iter().map(info).collect();
    let bytes = files.into_iter().flat_map(|(_, bytes)| bytes).collect();
    (ExportEvent::Files { step, files: infos }, bytes)
}
