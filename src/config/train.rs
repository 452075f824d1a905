//! How the model is trained.

use serde::{Deserialize, Serialize};

use super::{Choice, ConfigError, check_domain, check_sizes};
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
}

impl Choice for Storage {
    const ALL: &'static [(&'static str, Self)] = &[("f32", Self::F32), ("f16", Self::F16)];
}

impl Choice for Optimizer {
    const ALL: &'static [(&'static str, Self)] = &[("adamw", Self::Adamw), ("sgd", Self::Sgd)];
}

impl Choice for Schedule {
    const ALL: &'static [(&'static str, Self)] =
        &[("constant", Self::Constant), ("cosine", Self::Cosine), ("linear", Self::Linear)];
}

impl TrainConfig {
    /// Whether training can run with these numbers.
    ///
    /// # Errors
    /// The first field that is wrong, with what to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_sizes(&[("batch_size", self.batch_size), ("accumulation_steps", self.accumulation_steps)])?;
        check_domain("max_lr", self.max_lr, is_normal_f32(self.max_lr), NORMAL_F32)?;
        let min_ok = (0.0..=self.max_lr).contains(&self.min_lr);
        check_domain("min_lr", self.min_lr, min_ok, "between 0 and max_lr")?;
        check_domain("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "at least 0 and less than 1")?;
        check_domain("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "at least 0 and less than 1")?;
        check_domain("adam_eps", self.adam_eps, is_normal_f32(self.adam_eps), NORMAL_F32)?;
        let decays = self.momentum >= 0.0 && (self.momentum as f32) < 1.0;
        check_domain(
            "momentum",
            self.momentum,
            decays,
            "at least 0 and at most 0.99999997; closer to 1, f32 takes it for 1",
        )?;
        let decay_ok = self.weight_decay >= 0.0 && (self.weight_decay as f32).is_finite();
        check_domain("weight_decay", self.weight_decay, decay_ok, "from 0 to 3.4e38")?;
        check_domain("max_grad_norm", self.max_grad_norm, is_normal_f32(self.max_grad_norm), NORMAL_F32)
    }
}

/// The domain of [`is_normal_f32`], in words.
const NORMAL_F32: &str = "from 1.2e-38 to 3.4e38, which f32 can hold";

/// Whether a positive number neither overflows in f32 nor underflows to what devices may take for 0.
fn is_normal_f32(value: f64) -> bool {
    value > 0.0 && (value as f32).is_normal()
}
