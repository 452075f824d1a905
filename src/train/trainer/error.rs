//! Training errors.

use thiserror::Error;

use crate::config::{ConfigError, RunConfig};
use crate::data::DataError;
use crate::gpu::backend::ExecuteError;
use crate::model::memory::{MemoryError, spare};
use crate::parallel::shard::ShardError;
use crate::types::inspect::WeightAt;

/// A training error.
#[derive(Debug, Error, PartialEq)]
pub enum TrainError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device cannot hold the model.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The tokens could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device failed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The device ran out of memory.
    #[error("the GPU has no memory left ({detail}); {advice}, or choose the CPU backend")]
    OutOfMemory {
        /// The device's error message.
        detail: String,
        /// Which setting to lower, and to what value.
        advice: String,
    },
    /// The memory that this program can address is exhausted.
    #[error("{mib} MiB of memory are missing to train or measure this model here; {advice}")]
    NoRoom {
        /// The missing amount in MiB.
        mib: u64,
        /// Which setting to lower, and to what value.
        advice: String,
    },
    /// Not enough memory for this number of texts at a time.
    #[error("There is no memory to generate {n_texts} texts at once. Generate at most {max} at once.")]
    TooManyTexts {
        /// The requested number.
        n_texts: usize,
        /// The maximum number that fits.
        max: usize,
    },
    /// The adapter does not support f16 activations.
    #[error("{adapter} does not support f16 (shader-f16); set activation_storage to f32")]
    NoHalves {
        /// Name of the adapter.
        adapter: String,
    },
    /// Gradients with f16 activations differ from those of the CPU.
    #[error("{adapter} computes f16 incorrectly ({difference}); set activation_storage to f32")]
    WrongHalves {
        /// Name of the adapter.
        adapter: String,
        /// Description of the difference.
        difference: String,
    },
    /// The model's logits cannot be sampled from.
    #[error("the model's logits hold {logit}, so no token can be chosen; go back to a state before it diverged")]
    Logits {
        /// The offending value.
        logit: f32,
    },
    /// The device's results differ from those of the CPU.
    #[error("{adapter} computes wrongly ({difference}); choose the CPU backend")]
    WrongKernel {
        /// Name of the adapter.
        adapter: String,
        /// Description of the difference.
        difference: String,
    },
    /// Rows of tokens that cannot be computed.
    #[error("these rows cannot be computed: {problem}")]
    Rows {
        /// The reason.
        problem: String,
    },
    /// A shard of a batch could not be computed, which is a bug in this program.
    #[error("a shard of the batch cannot be computed: {0}")]
    Shard(ShardError),
    /// The run diverged: the loss or a gradient is non-finite.
    #[error(
        "at step {step} the loss is {loss} and the gradient norm {grad_norm}; that step was not applied, and the model is \
         that of step {}; lower max_lr, warm up longer, or clip harder",
        step - 1
    )]
    Diverged {
        /// The first step that was not applied.
        step: u64,
        /// Loss of that step.
        loss: f32,
        /// Gradient norm of that step.
        grad_norm: f32,
    },
}

impl TrainError {
    /// Adds to an out-of-memory error which setting of this configuration to lower.
    pub fn advised(self, config: &RunConfig) -> Self {
        match self {
            // The device does not report how much memory would suffice.
            Self::Execute(ExecuteError::OutOfMemory(detail)) => {
                Self::OutOfMemory { detail, advice: config.advice(|_| true) }
            }
            Self::Execute(ExecuteError::NoRoom { mib }) => Self::NoRoom { mib, advice: spare(config, mib << 20) },
            other => other,
        }
    }
}

impl From<ShardError> for TrainError {
    fn from(error: ShardError) -> Self {
        match error {
            ShardError::Config(error) => Self::Config(error),
            ShardError::Memory(error) => Self::Memory(error),
            other => Self::Shard(other),
        }
    }
}

/// Why a weight cannot be changed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WeightError {
    /// The model has no such parameter.
    #[error("This model has no parameter {name}; pick one of the list.")]
    NoParameter {
        /// The requested name.
        name: String,
    },
    /// The parameter has no such row or column.
    #[error(
        "{} has rows 0 to {last_row} and columns 0 to {last_column}; row {}, column {} is outside.",
        at.tensor, at.row, at.column
    )]
    Outside {
        /// The requested weight.
        at: WeightAt,
        /// Index of the last row.
        last_row: usize,
        /// Index of the last column.
        last_column: usize,
    },
}
