//! The loss part of a recording: from the logits of some rows to their losses and gradients, and to the batch's loss.

use crate::gpu::recording::{Recording, Slice};
use crate::model::memory::{MemoryPlan, PerToken};
use crate::ops::{cross_entropy, mean_loss};

/// The logits of some rows of a batch, with the buffers of the same rows.
#[derive(Clone, Copy, Debug)]
pub struct HeadRows {
    /// (n, V), in blocks of the vocabulary.
    pub logits: Slice,
    /// The next tokens (n).
    pub targets: Slice,
    /// Negative log-probabilities of the targets (n).
    pub losses: Slice,
    /// Coefficients and entropies (n), if planned.
    pub per_token: Option<PerToken>,
    /// Sizes for the kernels.
    pub params: cross_entropy::Params,
}

/// How logits become a loss.
pub trait HeadLoss {
    /// Whether it reads and writes [`MemoryPlan::per_token`].
    fn weighs_tokens(&self) -> bool;

    /// Appends the losses of some rows and the gradient of the batch's loss, which replaces their logits.
    fn gradient(&self, recording: &mut Recording, rows: HeadRows);

    /// Appends the batch's loss, after the losses of all rows.
    fn total(&self, recording: &mut Recording, plan: &MemoryPlan);
}

/// The mean cross-entropy over all tokens of a batch.
#[derive(Clone, Copy, Debug)]
pub struct MeanLoss;

/// Σ c · cross-entropy with a coefficient c for every token. Its gradient with respect to the logits of a token,
/// c · (softmax − onehot), is that of every objective whose loss depends on the log-probabilities of the targets alone.
#[derive(Clone, Copy, Debug)]
pub struct WeightedLoss;

impl HeadLoss for MeanLoss {
    fn weighs_tokens(&self) -> bool {
        false
    }

    fn gradient(&self, recording: &mut Recording, rows: HeadRows) {
        cross_entropy::cross_entropy_grad(recording, [rows.logits, rows.targets, rows.losses], rows.params);
    }

    fn total(&self, recording: &mut Recording, plan: &MemoryPlan) {
        mean_loss::mean_loss(recording, [plan.step, plan.losses, plan.loss_ring]);
    }
}

/// The buffers of a weighted loss.
///
/// # Panics
/// When the plan has none, which is a bug in the program.
fn planned(per_token: Option<PerToken>) -> PerToken {
    per_token.expect("a plan for weighted tokens")
}

impl HeadLoss for WeightedLoss {
    fn weighs_tokens(&self) -> bool {
        true
    }

    fn gradient(&self, recording: &mut Recording, rows: HeadRows) {
        let PerToken { coefficients, entropies } = planned(rows.per_token);
        let bindings = [rows.logits, rows.targets, rows.losses, entropies, coefficients];
        cross_entropy::weighted_cross_entropy_grad(recording, bindings, rows.params);
    }

    fn total(&self, recording: &mut Recording, plan: &MemoryPlan) {
        let coefficients = planned(plan.per_token).coefficients;
        mean_loss::weighted_loss(recording, [plan.step, plan.losses, coefficients, plan.loss_ring]);
    }
}

/// Appends losses and entropies of some rows without a gradient.
pub(super) fn token_entropy(recording: &mut Recording, rows: HeadRows) {
    let entropies = planned(rows.per_token).entropies;
    cross_entropy::token_entropy(recording, [rows.logits, rows.targets, rows.losses, entropies], rows.params);
}
