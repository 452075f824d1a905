//! The file of a run.

use super::Driver;
use super::observer::Observer;
use crate::run::record::{self, RunFile};
use crate::train::checkpoint::CheckpointError;
use crate::train::trainer::{TrainError, TrainingState};
use crate::types::runs::{CheckpointInfo, CorpusRecord, RunRecord};

impl Driver {
    /// Sets the record of the training text.
    pub fn set_corpus(&mut self, corpus: CorpusRecord) {
        self.corpus = Some(corpus);
    }

    /// Sets the name saved in the run's files.
    pub fn set_name(&mut self, name: &str) {
        self.name = name.into();
    }

    /// The run's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The run's record under this name; `None` without a record of the training text.
    pub fn record(&self, name: &str) -> Option<RunRecord> {
        Some(RunRecord { name: name.into(), corpus: self.corpus.clone()?, history: self.history.clone() })
    }

    /// Serializes a state of the run as one file; `None` without a record of the training text.
    ///
    /// # Errors
    /// If serialization fails.
    pub fn file(
        &self,
        state: &TrainingState,
        name: &str,
    ) -> Result<Option<(CheckpointInfo, Vec<u8>)>, CheckpointError> {
        let Some(corpus) = &self.corpus else { return Ok(None) };
        let config = self.config();
        let history = &self.history;
        let file = RunFile { config: &config, tokenizer: &self.tokenizer, state, name, corpus, history };
        Ok(Some((file.info(), record::to_bytes(&file)?)))
    }

    /// The file of a state without the times at which steps ended, so that equal runs have equal files.
    ///
    /// # Errors
    /// If serialization fails.
    #[cfg(not(target_arch = "wasm32"))]
    pub(in crate::run) fn untimed_file(&self, state: &TrainingState) -> Result<Vec<u8>, CheckpointError> {
        let config = self.config();
        let Some(corpus) = &self.corpus else {
            return crate::train::checkpoint::to_bytes(&config, &self.tokenizer, state, None);
        };
        let history = &self.history.untimed();
        let (tokenizer, name) = (&*self.tokenizer, self.name.as_str());
        record::to_bytes(&RunFile { config: &config, tokenizer, state, name, corpus, history })
    }

    /// The training state, without the temporary changes of the learning rate finder; includes the optimizer's moments only if
    /// requested.
    pub(crate) async fn whole_state<O: Observer>(
        &mut self,
        with_moments: bool,
        observer: &mut O,
    ) -> Result<TrainingState, TrainError> {
        if let Some(search) = &self.search {
            return Ok(search.before().clone());
        }
        self.settle(observer).await?;
        match with_moments {
            true => self.trainer.state().await,
            false => {
                let state = TrainingState::of(self.trainer.params().await?, 0);
                Ok(TrainingState { step: self.trainer.step(), ..state })
            }
        }
    }
}
