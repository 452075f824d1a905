//! How the model is trained.

use serde::{Deserialize, Serialize};

use super::{Choice, ConfigError};
use crate::gpu::recording::Storage;

/// How the model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// B: sequences in a batch.
    pub batch_size: usize,
    /// Batches whose gradients are averaged for one step: one step then learns from B times as many sequences, in the
    /// memory of one batch.
    pub accumulation_steps: usize,
    /// How the numbers are stored that wait in each block for the backward pass: outputs of norms, queries, keys and
    /// values, heads, and what the feed-forward network computes. All sums, the residual stream, parameters and gradients
    /// have 32 bits.
    #[serde(default)]
    pub activation_storage: Storage,
    /// What turns gradients into updates.
    pub optimizer: Optimizer,
    /// How the learning rate goes on after warm-up.
    pub schedule: Schedule,
    /// Learning rate after warm-up.
    pub max_lr: f64,
    /// Learning rate at the end of the schedule and after it.
    pub min_lr: f64,
    /// Steps of linear warm-up from 0 to `max_lr`.
    pub warmup_steps: u64,
    /// The step at which the schedule reaches `min_lr`.
    pub schedule_steps: u64,
    /// With [`Schedule::Wsd`] the share of `schedule_steps` in which the learning rate falls.
    #[serde(default = "decay_fraction")]
    pub decay_fraction: f64,
    /// β₁ of AdamW.
    pub beta1: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// ε of AdamW.
    pub adam_eps: f64,
    /// Momentum of SGD; 0 is plain gradient descent.
    pub momentum: f64,
    /// Decoupled weight decay; applies to matrices, not to gains and biases.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global L2 norm when theirs is larger.
    pub max_grad_norm: f64,
    /// Seeds initialisation, batches and sampling.
    pub seed: u64,
}

/// What turns gradients into updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    Adamw,
    /// Stochastic gradient descent with momentum and the same decoupled weight decay.
    Sgd,
}

/// How the learning rate goes on after warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It stays at `max_lr`.
    Constant,
    /// Half a cosine down to `min_lr` (Loshchilov & Hutter 2017).
    Cosine,
    /// A straight line down to `min_lr`.
    Linear,
    /// Warm-up, stable, decay (Hu et al. 2024): `max_lr`, then a straight line down to `min_lr` in the last `decay_fraction`
    /// of the schedule.
    Wsd,
}

/// The usual decay takes 10 to 20 % of the steps (Hägele et al. 2024).
pub(super) const DECAY_FRACTION: f64 = 0.2;

/// For files from before there was a choice.
fn decay_fraction() -> f64 {
    DECAY_FRACTION
}

impl Choice for Storage {
    const ALL: &'static [(&'static str, Self)] = &[("f32", Self::F32), ("f16", Self::F16)];
}

impl Choice for Optimizer {
    const ALL: &'static [(&'static str, Self)] = &[("adamw", Self::Adamw), ("sgd", Self::Sgd)];
}

impl Choice for Schedule {
    const ALL: &'static [(&'static str, Self)] =
        &[("constant", Self::Constant), ("cosine", Self::Cosine), ("linear", Self::Linear), ("wsd", Self::Wsd)];
}

impl TrainConfig {
    /// Whether training can run with these numbers.
    ///
    /// # Errors
    /// The first field that is wrong, with what to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_fields()?;
        self.check_rates()
    }

    /// Whether the learning rate falls.
    pub(super) fn check_rates(&self) -> Result<(), ConfigError> {
        if self.min_lr <= self.max_lr {
            return Ok(());
        }
        Err(ConfigError::Domain { field: "min_lr", value: self.min_lr, domain: "between 0 and max_lr" })
    }
}
