//! The state of a run whose device is lost, and how another run continues it.

use super::Run;
use crate::config::RunConfig;
use crate::data::Tokenizer;
use crate::run::record::to_bytes_with;
use crate::train::trainer::TrainingState;
use crate::types::runs::{CheckpointInfo, CorpusRecord};
use crate::types::{History, RunId};

/// Everything of the run that was not on the device.
pub struct Lost {
    /// The run's id.
    pub id: RunId,
    name: String,
    /// The run's configuration.
    pub config: RunConfig,
    /// The training text.
    pub corpus: CorpusRecord,
    /// The latest snapshot.
    pub state: TrainingState,
    /// Whether it was training.
    pub training: bool,
    history: History,
    tokenizer: Tokenizer,
    probe: Vec<u32>,
    tokens_cut: usize,
}

impl Lost {
    /// A copy of the run's tokenizer.
    pub fn tokenizer(&self) -> Tokenizer {
        self.tokenizer.clone()
    }

    /// Saves the run as one file.
    ///
    /// # Errors
    /// Why it cannot be saved.
    pub fn file(&self) -> Result<(CheckpointInfo, Vec<u8>), String> {
        let about = CheckpointInfo {
            name: self.name.clone(),
            step: self.state.step,
            loss: self.history.points.last().map(|point| point.loss),
            val_loss: self.history.validation.last().filter(|val| val.step == self.state.step).map(|val| val.loss),
            corpus: self.corpus.name.clone(),
            n_params: self.config.model.n_params(),
        };
        let bytes = to_bytes_with(&self.config, &self.tokenizer, &self.state, &self.name, &self.corpus, &self.history);
        bytes.map(|bytes| (about, bytes)).map_err(|error| error.to_string())
    }
}

impl Run {
    /// The state that does not depend on the device; `None` without a record of the training text.
    pub fn into_lost(self) -> Option<Lost> {
        let (state, config) = match &self.search {
            Some(search) => (search.before().clone(), self.config()),
            None => (self.copy(), self.config()),
        };
        let mut history = self.history;
        history.cut_after(state.step);
        Some(Lost {
            id: self.id,
            name: self.name,
            config,
            corpus: self.corpus?,
            state,
            training: self.mode == super::Mode::Training,
            history,
            tokenizer: self.tokenizer,
            probe: self.probe,
            tokens_cut: self.tokens_cut,
        })
    }

    /// Continues the state of another run whose device was lost.
    pub fn take_up(&mut self, lost: &Lost) {
        self.resume(lost.state.clone(), lost.history.clone());
        (self.probe, self.tokens_cut) = (lost.probe.clone(), lost.tokens_cut);
        self.name.clone_from(&lost.name);
        self.probe_changed = true;
    }
}
