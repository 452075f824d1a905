//! Saved runs: their records and summaries, and the learning rate curve.

use serde::{Deserialize, Serialize};

use super::{CorpusChoice, History};
use crate::config::RunConfig;

/// Summary of a saved run, for lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointInfo {
    /// The name of the run.
    pub name: String,
    /// Steps done.
    pub step: u64,
    /// Loss of the latest step.
    pub loss: Option<f32>,
    /// Held-out loss at this step, if it was evaluated.
    pub val_loss: Option<f32>,
    /// Display name of the training text.
    pub corpus: String,
    /// Number of trainable parameters.
    pub n_params: u64,
}

/// Data in a saved run's file in addition to the model and the training state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's name on the page.
    pub name: String,
    /// The training text.
    pub corpus: CorpusRecord,
    /// Losses, thinned if there are many.
    pub history: History,
}

/// Identifies the text that a run was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorpusRecord {
    /// The source of the text.
    pub choice: CorpusChoice,
    /// Display name; the file name for a file.
    pub name: String,
    /// The text field of the files' records, if they contain records.
    #[serde(default)]
    pub field: Option<String>,
    /// Name of the vocabulary, if it was not trained on the text.
    #[serde(default)]
    pub vocabulary: Option<String>,
    /// Hash of the text, to verify that it is the same.
    pub fingerprint: String,
    /// The requested configuration; the actual vocabulary may be smaller.
    pub asked: RunConfig,
}

/// One step of the learning rate search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LrPoint {
    /// Learning rate of the step.
    pub lr: f64,
    /// Loss before the update.
    pub loss: f32,
    /// Smoothed loss.
    pub smoothed: f32,
}
