//! The record in a run's file: its name, its training text and its losses. With it, a run resumes anywhere.

use safetensors::SafeTensors;

use crate::config::RunConfig;
use crate::data::Tokenizer;
pub use crate::data::{Fingerprint, fingerprint};
use crate::train::checkpoint::{self, CheckpointError};
use crate::train::trainer::TrainingState;
use crate::types::History;
use crate::types::runs::{CheckpointInfo, CorpusRecord, RunRecord};

/// Name of the metadata entry.
const FIELD: &str = "run";

/// Approximate maximum number of steps whose losses are saved; longer runs are thinned.
const MAX_POINTS: usize = 20_000;

/// Everything in a run's file.
pub struct RunFile<'a> {
    /// The run's configuration.
    pub config: &'a RunConfig,
    /// The tokenizer of the run's tokens.
    pub tokenizer: &'a Tokenizer,
    /// The training state.
    pub state: &'a TrainingState,
    /// The run's name.
    pub name: &'a str,
    /// The training text.
    pub corpus: &'a CorpusRecord,
    /// The losses.
    pub history: &'a History,
}

impl RunFile<'_> {
    /// The summary for lists.
    pub fn info(&self) -> CheckpointInfo {
        let step = self.state.step;
        CheckpointInfo {
            name: self.name.into(),
            step,
            loss: self.history.points.last().map(|point| point.loss),
            val_loss: self.history.validation.last().filter(|val| val.step == step).map(|val| val.loss),
            corpus: self.corpus.name.clone(),
            n_params: self.config.model.n_params(),
        }
    }
}

/// Serializes a run's file: a checkpoint with the record in its header.
///
/// # Errors
/// As [`Checkpoint::to_bytes`](crate::train::checkpoint::Checkpoint::to_bytes).
pub fn to_bytes(file: &RunFile<'_>) -> Result<Vec<u8>, CheckpointError> {
    let history = file.history.thinned(MAX_POINTS);
    let record = RunRecord { name: file.name.into(), corpus: file.corpus.clone(), history };
    let json = serde_json::to_string(&record);
    let json = json.map_err(|error| CheckpointError::Metadata { field: FIELD, detail: error.to_string() })?;
    checkpoint::to_bytes(file.config, file.tokenizer, file.state, Some((FIELD, json)))
}

/// The record of a serialized checkpoint; `None` for one that was imported, or written by the command line of version 0.1.
pub fn read(bytes: &[u8]) -> Option<RunRecord> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    serde_json::from_str(header.metadata().as_ref()?.get(FIELD)?).ok()
}
