//! What a run is made of: the model's and the training's hyper-parameters, presets and derived sizes.
//!
//! Names follow Stanford's CS336. Shape letters used everywhere: B batch, T positions, C = d_model, H heads,
//! D = d_head, F = d_ff, L layers, V vocabulary.

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub mod rules;

/// The shape of the Transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// V: how many different tokens there are.
    pub vocab_size: usize,
    /// The longest window of tokens that the model sees at once.
    pub context_length: usize,
    /// C: the width of the residual stream.
    pub d_model: usize,
    /// L: how many blocks.
    pub n_layers: usize,
    /// H: how many attention heads a block has; d_head = d_model / n_heads.
    pub n_heads: usize,
    /// F: the inner width of the SwiGLU feed-forward network.
    pub d_ff: usize,
    /// Θ of rotary position embedding.
    pub rope_theta: f64,
}

/// How the model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// B: sequences a step.
    pub batch_size: usize,
    /// Learning rate after warm-up.
    pub max_lr: f64,
    /// Learning rate at the end of the cosine and after it.
    pub min_lr: f64,
    /// Steps of linear warm-up from 0 to `max_lr`.
    pub warmup_steps: u64,
    /// The step at which the cosine reaches `min_lr`.
    pub cosine_steps: u64,
    /// β₁ of AdamW.
    pub beta1: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// ε of AdamW.
    pub adam_eps: f64,
    /// Decoupled weight decay; applies to matrices, not to the gains of RMSNorm.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global L2 norm when theirs is larger.
    pub max_grad_norm: f64,
    /// Seeds initialisation, batches and sampling.
    pub seed: u64,
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
    /// A size is larger than anything this program can address.
    #[error("{field} {value} is too large; the most is {most}")]
    TooLarge {
        /// The name of the field.
        field: &'static str,
        /// What was asked for.
        value: usize,
        /// The largest value that is accepted.
        most: usize,
    },
    /// Heads do not divide the width, or leave an odd head size, which RoPE cannot rotate in pairs.
    #[error("d_model {d_model} does not give {n_heads} heads an even size each; try d_model {below} or {above}")]
    Heads {
        /// C.
        d_model: usize,
        /// H.
        n_heads: usize,
        /// The next smaller width that works (or the smallest).
        below: usize,
        /// The next larger width that works.
        above: usize,
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
            model: ModelConfig { vocab_size, context_length, d_model, n_layers, n_heads, d_ff, rope_theta: 10_000.0 },
            train: TrainConfig {
                batch_size,
                max_lr,
                min_lr: max_lr / 10.0,
                warmup_steps: steps / 100,
                cosine_steps: steps,
                beta1: 0.9,
                beta2: 0.95,
                adam_eps: 1e-8,
                weight_decay: 0.1,
                max_grad_norm: 1.0,
                seed: 336,
            },
        }
    }
}

/// No single size may exceed this, so that products of three of them still fit 64 bits with room to spare.
const MOST: usize = 1 << 20;

impl ModelConfig {
    /// D: the size of one head.
    pub fn d_head(&self) -> usize {
        self.d_model / self.n_heads
    }

    /// The number of trainable parameters: embedding, L blocks (4 attention matrices, 3 of SwiGLU, 2 gains),
    /// final gain, head.
    pub fn n_params(&self) -> usize {
        let block = 4 * self.d_model * self.d_model + 3 * self.d_model * self.d_ff + 2 * self.d_model;
        2 * self.vocab_size * self.d_model + self.n_layers * block + self.d_model
    }

    /// Whether a model can be built from these sizes.
    ///
    /// # Errors
    /// The first field that is wrong, with what to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("context_length", self.context_length),
            ("d_model", self.d_model),
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
            ("d_ff", self.d_ff),
        ];
        check_sizes(&sizes)?;
        let unit = 2 * self.n_heads;
        if !self.d_model.is_multiple_of(unit) {
            let below = (self.d_model / unit).max(1) * unit;
            let above = self.d_model.next_multiple_of(unit).max(2 * unit);
            return Err(ConfigError::Heads { d_model: self.d_model, n_heads: self.n_heads, below, above });
        }
        check_domain("rope_theta", self.rope_theta, self.rope_theta > 1.0, "greater than 1")
    }
}

impl TrainConfig {
    /// Whether training can run with these numbers.
    ///
    /// # Errors
    /// The first field that is wrong, with what to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_sizes(&[("batch_size", self.batch_size)])?;
        check_domain("max_lr", self.max_lr, self.max_lr > 0.0, "greater than 0")?;
        let min_ok = (0.0..=self.max_lr).contains(&self.min_lr);
        check_domain("min_lr", self.min_lr, min_ok, "between 0 and max_lr")?;
        check_domain("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "at least 0 and less than 1")?;
        check_domain("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "at least 0 and less than 1")?;
        check_domain("adam_eps", self.adam_eps, self.adam_eps > 0.0, "greater than 0")?;
        check_domain("weight_decay", self.weight_decay, self.weight_decay >= 0.0, "at least 0")?;
        check_domain("max_grad_norm", self.max_grad_norm, self.max_grad_norm > 0.0, "greater than 0")
    }
}

impl RunConfig {
    /// Whether both halves are valid.
    ///
    /// # Errors
    /// The first field that is wrong, with what to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.model.validate()?;
        self.train.validate()
    }

    /// Tokens that one step trains on: B·T.
    pub fn tokens_per_step(&self) -> usize {
        self.train.batch_size * self.model.context_length
    }
}

fn check_sizes(sizes: &[(&'static str, usize)]) -> Result<(), ConfigError> {
    for &(field, value) in sizes {
        if value == 0 {
            return Err(ConfigError::Zero { field });
        }
        if value > MOST {
            return Err(ConfigError::TooLarge { field, value, most: MOST });
        }
    }
    Ok(())
}

fn check_domain(field: &'static str, value: f64, ok: bool, domain: &'static str) -> Result<(), ConfigError> {
    // A NaN fails every comparison, so `ok` is false for it; infinity has to be asked for.
    if ok && value.is_finite() { Ok(()) } else { Err(ConfigError::Domain { field, value, domain }) }
}
