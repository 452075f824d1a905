//! Messages about exporting attention weights and the model.

use serde::{Deserialize, Serialize};

use crate::types::FileInfo;
use crate::types::attention_weights::WeightsAbout;

/// Export commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "export", rename_all = "snake_case")]
pub enum ExportCommand {
    /// The attention weights of the probe in full precision, for the current model.
    Weights {
        /// Request id, repeated in the reply.
        request: u32,
    },
    /// The model in the Hugging Face format: [`ExportEvent::Model`], [`ExportEvent::Files`], or [`ExportEvent::NoModel`].
    Model {
        /// Whether to send separate files instead of a ZIP.
        loose: bool,
        /// Whether to include the training state: the optimizer's moments, the step, and the state of the batch sampler.
        training_state: bool,
    },
}

/// Export events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "export", rename_all = "snake_case")]
pub enum ExportEvent {
    /// Attention weights. Attached: little-endian f32 of shape (L, H, n, n) with n = `tokens.len()`, row-major, query before
    /// key; 0 where masked.
    Weights {
        /// Id of the request.
        request: u32,
        /// Description of the weights.
        about: WeightsAbout,
    },
    /// The model's files, attached as one ZIP.
    Model {
        /// Steps done.
        step: u64,
    },
    /// The model's files, attached as one concatenation.
    Files {
        /// Steps done.
        step: u64,
        /// Their names and sizes.
        files: Vec<FileInfo>,
    },
    /// The model cannot be exported in this format.
    NoModel {
        /// Which setting prevents it.
        message: String,
    },
}
