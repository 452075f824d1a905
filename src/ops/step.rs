//! Parameters that change from step to step, in one small write: learning rate, Adam's corrections, the slot in the
//! rings.

use bytemuck::{Pod, Zeroable};
use glasshead_cpu::math::pow;

use super::cpu::update::Update;

/// Rust counterpart of `Step` in `shaders/lib/step.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Step {
    /// Learning rate.
    pub lr: f32,
    /// β₁
    pub beta1: f32,
    /// β₂
    pub beta2: f32,
    /// 1 − β₁, rounded once from the exact difference: 1 − the rounded β₁ would be off by up to 2⁻²⁵.
    pub one_minus_beta1: f32,
    /// 1 − β₂, rounded once.
    pub one_minus_beta2: f32,
    /// ε
    pub eps: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// 1 − β₁ᵗ
    pub correction1: f32,
    /// 1 − β₂ᵗ
    pub correction2: f32,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f32,
    /// Index of this step's loss and gradient norm in their rings.
    pub slot: u32,
    /// Momentum of SGD.
    pub momentum: f32,
    /// Weight of this batch among those accumulated for one step: 1 / their number.
    pub weight: f32,
    /// 1 for the first batch of a step, which overwrites the results of an earlier step; else 0.
    pub first: u32,
}

impl Step {
    /// The same step with AdamW's β₁ and β₂ at step `t`, counted from 1: each value is computed in f64 and rounded once.
    #[must_use]
    pub fn with_betas(self, [beta1, beta2]: [f64; 2], t: f64) -> Self {
        Self {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            one_minus_beta1: (1.0 - beta1) as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            correction1: (1.0 - pow(beta1, t)) as f32,
            correction2: (1.0 - pow(beta2, t)) as f32,
            ..self
        }
    }

    /// The parameters of the optimizers on the CPU.
    pub(crate) fn update(&self, decay_len: u32, scale: f32) -> Update {
        Update { lr: self.lr, weight_decay: self.weight_decay, decay_len: decay_len as usize, scale }
    }
}

/// Size of a [`Step`] in 4-byte elements.
pub const STEP_LEN: usize = size_of::<Step>() / 4;

/// Reads the `Step` at the beginning of a bound slice.
pub(crate) fn read_step(words: &[u32]) -> Step {
    *bytemuck::from_bytes(bytemuck::cast_slice(&words[..STEP_LEN]))
}
