//! What can go wrong in training.

use thiserror::Error;

use crate::config::{ConfigError, RunConfig};
use crate::data::DataError;
use crate::gpu::backend::ExecuteError;
use crate::model::memory::{MemoryError, spare};

/// Why a model cannot be trained.
#[derive(Debug, Error, PartialEq)]
pub enum TrainError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device cannot hold the model.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The tokens cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device failed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The device had no memory for what the configuration needs.
    #[error("the GPU has no memory left ({detail}); {advice}, or choose the CPU backend")]
    OutOfMemory {
        /// The device's own words.
        detail: String,
        /// What to lower, and to what.
        advice: String,
    },
    /// This program cannot address more memory.
    #[error("{mib} MiB of memory are missing to train or measure this model here; {advice}")]
    NoRoom {
        /// How much.
        mib: u64,
        /// What to lower, and to what.
        advice: String,
    },
    /// More texts at once than there is memory for.
    #[error("There is no memory to generate {n_texts} texts at once. Generate at most {max} at once.")]
    TooManyTexts {
        /// The requested number.
        n_texts: usize,
        /// The most that fit.
        max: usize,
    },
    /// Activations cannot be stored in 16 bits.
    #[error("{adapter} computes with no numbers of 16 bits (shader-f16); set activation_storage to f32")]
    NoHalves {
        /// The device.
        adapter: String,
    },
    /// Activations in 16 bits give other gradients than on the CPU.
    #[error("{adapter} computes wrongly with numbers of 16 bits ({difference}); set activation_storage to f32")]
    WrongHalves {
        /// The device.
        adapter: String,
        /// What is wrong.
        difference: String,
    },
    /// The device gives other results than the CPU.
    #[error("{adapter} computes wrongly ({difference}); choose the CPU backend")]
    WrongKernel {
        /// The device.
        adapter: String,
        /// What is wrong.
        difference: String,
    },
    /// The model computes no numbers that a token could be chosen by.
    #[error("the model's logits hold {logit}, so no token can be chosen; go back to a state before it diverged")]
    Logits {
        /// The number in the way.
        logit: f32,
    },
    /// A shard of a batch could not be computed: a mistake of this program.
    #[error("a shard of the batch cannot be computed: {message}")]
    Shard {
        /// Why.
        message: String,
    },
    /// The numbers ran away.
    #[error(
        "at step {step} the loss is {loss} and the gradient norm {grad_norm}; that step was not applied, and the model is \
         that of step {}; lower max_lr, warm up longer, or clip harder",
        step - 1
    )]
    Diverged {
        /// The first step that was not applied.
        step: u64,
        /// Its loss.
        loss: f32,
        /// Its gradient norm.
        grad_norm: f32,
    },
}

impl TrainError {
    /// The same; where memory is missing, with what of this configuration to lower.
    pub fn advised(self, config: &RunConfig) -> Self {
        match self {
            // How much less is enough, the device does not tell.
            Self::Execute(ExecuteError::OutOfMemory(detail)) => {
                Self::OutOfMemory { detail, advice: config.advice(|_| true) }
            }
            Self::Execute(ExecuteError::NoRoom { mib }) => Self::NoRoom { mib, advice: spare(config, mib << 20) },
            other => other,
        }
    }
}
