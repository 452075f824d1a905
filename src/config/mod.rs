//! What a run is made of: the model's and the training's hyper-parameters, presets and derived sizes.
//!
//! Names follow Stanford's CS336. Shape letters used everywhere: B batch, T positions, C = d_model, H heads,
//! D = d_head, F = d_ff, L layers, V vocabulary.

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::gpu::recording::Storage;

pub mod fields;
mod model;
mod room;
pub mod rules;
mod schedule;
pub mod table;
mod train;
mod valid;

pub use model::{FeedForward, ModelConfig, Norm, NormPlacement, Positions};
pub use schedule::learning_rate;
pub use train::{Optimizer, Schedule, TrainConfig};
pub use valid::{MIN_TRAINED_VOCABULARY, ValidConfig};

/// A switch with a few named positions.
pub trait Choice: Copy + PartialEq + 'static {
    /// Every position with the name that the command line, the page and files use.
    const ALL: &'static [(&'static str, Self)];

    /// The name of this position.
    fn name(self) -> &'static str {
        // The table is complete, which a test checks; a position without a name would show as nothing.
        Self::ALL.iter().find(|(_, choice)| *choice == self).map_or("", |(name, _)| name)
    }

    /// The position with this name.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, choice)| choice)
    }
}

/// The model and the training together: everything but the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The shape of the Transformer.
    pub model: ModelConfig,
    /// How it is trained.
    pub train: TrainConfig,
}

/// Sizes to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// About 100 thousand parameters, context 64.
    Nano,
    /// About 1 million parameters, context 128.
    Tiny,
    /// About 10 million parameters, context 256.
    Small,
    /// The model of CS336's first assignment: vocabulary 10,000, about 23 million parameters.
    Cs336,
}

/// What is wrong with a configuration, and what to change.
#[derive(Debug, Error, PartialEq)]
pub enum ConfigError {
    /// A size is 0.
    #[error("{field} is 0; it has to be at least 1")]
    Zero {
        /// The name of the field.
        field: &'static str,
    },
    /// A whole number is too small or too large.
    #[error("{field} is {value}; it has to be from {min} to {max}")]
    OutOfRange {
        /// The name of the field.
        field: &'static str,
        /// The refused value.
        value: u64,
        /// The smallest value that is accepted.
        min: u64,
        /// The largest value that is accepted.
        max: u64,
    },
    /// A size is smaller than its use needs.
    #[error("{field} is {value}, and has to be at least {least}: {why}")]
    TooSmall {
        /// The name of the field.
        field: &'static str,
        /// The refused value.
        value: usize,
        /// The smallest value that is accepted.
        least: usize,
        /// The reason, as a clause.
        why: &'static str,
    },
    /// Sizes that are right each, and too large together.
    #[error("{sizes} make {numbers:.0} numbers, and {most:.0} can be addressed; lower {field} to {fitting} at most")]
    Together {
        /// Their names and values.
        sizes: String,
        /// How many numbers they make.
        numbers: f64,
        /// How many there can be.
        most: f64,
        /// What to lower.
        field: &'static str,
        /// To what.
        fitting: usize,
    },
    /// Heads do not divide the width, or leave an odd head size, which RoPE cannot rotate in pairs.
    #[error("d_model {d_model} does not give {n_heads} heads {size} each; try d_model {below} or {above}")]
    Heads {
        /// C.
        d_model: usize,
        /// H.
        n_heads: usize,
        /// What each has to get, in words.
        size: &'static str,
        /// The next smaller width that works (or the smallest).
        below: usize,
        /// The next larger width that works.
        above: usize,
    },
    /// Heads of keys and values cannot be shared out evenly.
    #[error("{n_heads} heads cannot share {n_kv_heads} key-value heads evenly; try n_kv_heads {below} or {n_heads}")]
    KvHeads {
        /// H.
        n_heads: usize,
        /// How many heads of keys and values were asked for.
        n_kv_heads: usize,
        /// The next smaller number that works.
        below: usize,
    },
    /// There is no such field.
    #[error("unknown field `{field}`; expected one of {known}")]
    Unknown {
        /// The name that was given.
        field: String,
        /// All names.
        known: String,
    },
    /// A text is not a value of its field's type.
    #[error("{field} cannot be “{value}”; enter {expected}")]
    Value {
        /// The name of the field.
        field: &'static str,
        /// The refused text.
        value: String,
        /// What the field accepts.
        expected: String,
    },
    /// A number lies outside its domain.
    #[error("{field} is {value}; it has to be {domain}")]
    Domain {
        /// The name of the field.
        field: &'static str,
        /// What was asked for.
        value: f64,
        /// What is accepted, in words.
        domain: &'static str,
    },
}

impl Preset {
    /// All presets, smallest first.
    pub const ALL: [Preset; 4] = [Preset::Nano, Preset::Tiny, Preset::Small, Preset::Cs336];

    /// The name that the command line and the page use.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Nano => "nano",
            Preset::Tiny => "tiny",
            Preset::Small => "small",
            Preset::Cs336 => "cs336",
        }
    }

    /// The preset with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The configuration that the preset stands for.
    pub fn config(self) -> RunConfig {
        let (vocab_size, context_length, d_model, n_layers, n_heads, d_ff) = match self {
            Preset::Nano => (512, 64, 48, 2, 4, 128),
            Preset::Tiny => (1024, 128, 128, 4, 4, 344),
            Preset::Small => (4096, 256, 320, 6, 8, 864),
            Preset::Cs336 => (10_000, 256, 512, 4, 16, 1344),
        };
        let (batch_size, max_lr, steps) = match self {
            Preset::Nano => (8, 1e-2, 3_000),
            Preset::Tiny => (16, 3e-3, 5_000),
            Preset::Small => (16, 1e-3, 10_000),
            Preset::Cs336 => (32, 1e-3, 20_000),
        };
        RunConfig {
            model: ModelConfig::cs336([vocab_size, context_length], [d_model, n_layers, n_heads, d_ff]),
            train: TrainConfig {
                batch_size,
                accumulation_steps: 1,
                activation_storage: Storage::F32,
                optimizer: Optimizer::Adamw,
                schedule: Schedule::Cosine,
                max_lr,
                min_lr: max_lr / 10.0,
                warmup_steps: steps / 100,
                schedule_steps: steps,
                beta1: 0.9,
                beta2: 0.95,
                adam_eps: 1e-8,
                momentum: 0.9,
                weight_decay: 0.1,
                max_grad_norm: 1.0,
                decay_fraction: train::DECAY_FRACTION,
                seed: 336,
            },
        }
    }
}

/// The largest size, so that products of three of them still fit 64 bits with room to spare.
const MAX_SIZE: u64 = 1 << 20;

/// Blocks of a model. The deepest models have some hundred; every block is planned by name, so their number alone costs time
/// and memory.
const MAX_LAYERS: u64 = 1024;

/// Held-out tokens whose losses are averaged wherever a held-out loss is reported: in the page's header and what-if, after
/// an import, on the command line. It depends on nothing that can be set, so that losses are comparable. For `nano` on the
/// CPU an evaluation takes about a tenth of a second; the standard error of a loss of 1.5 is about 0.03 nats, and the same
/// tokens make most of it cancel in comparisons.
pub const EVALUATION_TOKENS: usize = 4096;

/// Steps of a run: what the page's numbers count exactly.
pub const MAX_STEPS: u64 = 1 << 53;

impl RunConfig {
    /// Whether both halves are valid.
    ///
    /// # Errors
    /// The first field that is wrong, with what to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_fields(|_| true)?;
        self.model.check_heads()?;
        self.train.check_rates()?;
        self.check_products()
    }

    /// Tokens that one step trains on: B·T for each accumulated batch.
    pub fn tokens_per_step(&self) -> usize {
        self.train.batch_size * self.train.accumulation_steps * self.model.context_length
    }
}
