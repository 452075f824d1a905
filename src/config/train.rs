//! Training hyper-parameters.

use serde::{Deserialize, Serialize};

use super::{Choice, ConfigError, Storage};

/// Training hyper-parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// B: sequences per batch.
    pub batch_size: usize,
    /// Number of batches whose gradients are averaged for one step: a larger effective batch in the memory of a single one.
    pub accumulation_steps: usize,
    /// Storage format of the activations saved in each block for the backward pass: outputs of norms, queries, keys and values,
    /// heads, and intermediate results of the feed-forward network. Sums, the residual stream, parameters and gradients are
    /// always f32.
    #[serde(default)]
    pub activation_storage: Storage,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning rate schedule after warm-up.
    pub schedule: Schedule,
    /// Learning rate after warm-up.
    pub max_lr: f64,
    /// Learning rate at the end of the schedule and after it.
    pub min_lr: f64,
    /// Steps of linear warm-up from 0 to `max_lr`.
    pub warmup_steps: u64,
    /// The step at which the schedule reaches `min_lr`.
    pub schedule_steps: u64,
    /// With [`Schedule::Wsd`], the fraction of `schedule_steps` in which the learning rate decays.
    #[serde(default = "decay_fraction")]
    pub decay_fraction: f64,
    /// β₁ of AdamW.
    pub beta1: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// ε of AdamW.
    pub adam_eps: f64,
    /// Momentum of SGD; 0 for plain gradient descent.
    pub momentum: f64,
    /// Decoupled weight decay; applied to matrices, not to gains and biases.
    pub weight_decay: f64,
    /// Maximum global L2 norm of the gradients; larger gradients are scaled down to it.
    pub max_grad_norm: f64,
    /// Seed of initialization, batches and sampling.
    pub seed: u64,
}

/// The optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    Adamw,
    /// Stochastic gradient descent with momentum and the same decoupled weight decay.
    Sgd,
}

/// The learning rate schedule after warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Constant at `max_lr`.
    Constant,
    /// Half a cosine wave down to `min_lr` (Loshchilov & Hutter 2017).
    Cosine,
    /// Linear decay to `min_lr`.
    Linear,
    /// Warm-up, stable, decay (Hu et al. 2024): constant at `max_lr`, then linear decay to `min_lr` in the last
    /// `decay_fraction` of the schedule.
    Wsd,
}

/// Typically the decay takes 10 to 20 % of the steps (Hägele et al. 2024).
pub(super) const DECAY_FRACTION: f64 = 0.2;

/// Default for files written before `decay_fraction` existed.
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
    /// Checks the training hyper-parameters.
    ///
    /// # Errors
    /// The first invalid field and how to correct it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check_fields()?;
        self.check_rates()
    }

    /// The step at which a schedule of `steps` steps leaves its constant phase; `steps` for schedules without one.
    pub fn constant_until(&self, steps: u64) -> u64 {
        match self.schedule {
            Schedule::Wsd => (steps as f64 * (1.0 - self.decay_fraction)).floor() as u64,
            _ => steps,
        }
    }

    /// Checks that `min_lr` does not exceed `max_lr`.
    pub(super) fn check_rates(&self) -> Result<(), ConfigError> {
        if self.min_lr <= self.max_lr {
            return Ok(());
        }
        Err(ConfigError::Domain { field: "min_lr", value: self.min_lr, domain: "between 0 and max_lr" })
    }
}
