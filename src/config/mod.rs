//! Configuration of a run: hyper-parameters of model and training, presets, and derived sizes.
//!
//! Names follow Stanford's CS336. Shape letters used everywhere: B batch, T positions, C = d_model, H heads,
//! D = d_head, F = d_ff, L layers, V vocabulary.

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod device;
mod field;
pub mod fields;
mod model;
mod room;
pub mod rules;
mod schedule;
mod storage;
pub mod table;
mod train;
mod valid;

pub use device::DeviceLimits;
pub use model::{FeedForward, ModelConfig, Norm, NormPlacement, Positions};
pub use schedule::learning_rate;
pub use storage::Storage;
pub use train::{Optimizer, Schedule, TrainConfig};
pub use valid::{MIN_TRAINED_VOCABULARY, ValidConfig};

/// A setting with a few named values.
pub trait Choice: Copy + PartialEq + 'static {
    /// Every value with the name that the command line, the page and files use.
    const ALL: &'static [(&'static str, Self)];

    /// The name of this value.
    fn name(self) -> &'static str {
        // A test checks that the table is complete; a value missing from it would have an empty name.
        Self::ALL.iter().find(|(_, choice)| *choice == self).map_or("", |(name, _)| name)
    }

    /// The value with this name.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, choice)| choice)
    }
}

/// Configuration of model and training: everything but the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The shape of the Transformer.
    pub model: ModelConfig,
    /// Training hyper-parameters.
    pub train: TrainConfig,
}

/// Predefined configurations.
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

/// Describes an invalid configuration and how to correct it.
#[derive(Debug, Error, PartialEq)]
pub enum ConfigError {
    /// A size is 0.
    #[error("{field} is 0; it has to be at least 1")]
    Zero {
        /// The name of the field.
        field: &'static str,
    },
    /// An integer is too small or too large.
    #[error("{field} is {value}; it has to be from {min} to {max}")]
    OutOfRange {
        /// The name of the field.
        field: &'static str,
        /// The rejected value.
        value: u64,
        /// The smallest accepted value.
        min: u64,
        /// The largest accepted value.
        max: u64,
    },
    /// A size is smaller than its use needs.
    #[error("{field} is {value}, and has to be at least {least}: {why}")]
    TooSmall {
        /// The name of the field.
        field: &'static str,
        /// The rejected value.
        value: usize,
        /// The smallest accepted value.
        least: usize,
        /// The reason, as a clause.
        why: &'static str,
    },
    /// Sizes that are valid individually, but whose product is too large.
    #[error("{sizes} make {numbers:.0} numbers, and {most:.0} can be addressed; lower {field} to {fitting} at most")]
    Together {
        /// Names and values of the sizes.
        sizes: String,
        /// Number of elements that they require.
        numbers: f64,
        /// Maximum number of elements.
        most: f64,
        /// The field to lower.
        field: &'static str,
        /// The largest value of `field` that fits.
        fitting: usize,
    },
    /// The heads do not divide the width, or leave an odd head size, which RoPE cannot rotate in pairs.
    #[error("d_model {d_model} does not give {n_heads} heads {size} each; try d_model {below} or {above}")]
    Heads {
        /// C.
        d_model: usize,
        /// H.
        n_heads: usize,
        /// The required size of each head, in words.
        size: &'static str,
        /// The next smaller width that works (or the smallest).
        below: usize,
        /// The next larger width that works.
        above: usize,
    },
    /// The query heads are not a multiple of the KV heads.
    #[error("{n_heads} heads cannot share {n_kv_heads} key-value heads evenly; try n_kv_heads {below} or {n_heads}")]
    KvHeads {
        /// H.
        n_heads: usize,
        /// The rejected number of KV heads.
        n_kv_heads: usize,
        /// The next smaller number that works.
        below: usize,
    },
    /// Unknown field.
    #[error("unknown field `{field}`; expected one of {known}")]
    Unknown {
        /// The given name.
        field: String,
        /// All valid names, separated by commas.
        known: String,
    },
    /// A text is not a value of its field's type.
    #[error("{field} cannot be “{value}”; enter {expected}")]
    Value {
        /// The name of the field.
        field: &'static str,
        /// The rejected text.
        value: String,
        /// What the field accepts.
        expected: String,
    },
    /// A number is outside its domain.
    #[error("{field} is {value}; it has to be {domain}")]
    Domain {
        /// The name of the field.
        field: &'static str,
        /// The rejected value.
        value: f64,
        /// The accepted values, in words.
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

    /// The preset's configuration.
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

/// Upper bound of every size, chosen so that the product of three sizes fits 64 bits with room to spare.
const MAX_SIZE: u64 = 1 << 20;

/// Upper bound of `n_layers`. The deepest models have about a hundred layers; every block is planned by name, so their number
/// alone costs time and memory.
const MAX_LAYERS: u64 = 1024;

/// Number of held-out tokens over which every reported held-out loss is averaged: in the page's header and what-if, after an
/// import, on the command line. It is not configurable, so that losses are comparable. For `nano` on the CPU an evaluation
/// takes about 0.1 s; the standard error of a loss of 1.5 is about 0.03 nats, most of which cancels when losses on the same
/// tokens are compared.
pub const EVALUATION_TOKENS: usize = 4096;

/// Upper bound of the number of steps: JavaScript numbers represent integers exactly up to this value.
pub const MAX_STEPS: u64 = 1 << 53;

impl RunConfig {
    /// Checks all fields and their combinations.
    ///
    /// # Errors
    /// The first invalid field and how to correct it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_fields(|_| true)?;
        self.model.check_heads()?;
        self.train.check_rates()?;
        self.check_products()
    }

    /// Number of tokens per step: B·T for each accumulated batch.
    pub fn tokens_per_step(&self) -> usize {
        self.train.batch_size * self.train.accumulation_steps * self.model.context_length
    }
}
