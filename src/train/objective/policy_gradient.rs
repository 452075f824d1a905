//! Policy gradients: REINFORCE, GRPO and their relatives, whose coefficients depend on rewards and log-probabilities.

use super::{Objective, TokenInputs, Weighted, padded};
use crate::align::{self, AlignError, LogProbs, TokenBatch, TokenRow, clip_fraction, mean_kl, token_coefficients};
use crate::model::transformer::loss::{HeadLoss, WeightedLoss};

/// A policy-gradient objective.
#[derive(Clone, Copy, Debug)]
pub struct PolicyGradient {
    /// Advantages, loss per token and aggregation.
    pub objective: align::Objective,
    /// Whether responses are used for several updates, so that their tokens have importance ratios other than 1.
    pub off_policy: bool,
}

/// Log-probabilities of the targets of every row.
#[derive(Clone, Copy, Debug)]
pub struct PolicyScores<'a> {
    /// Under the current weights.
    pub policy: &'a [Vec<f32>],
    /// Under the weights that sampled the rows; `None` on-policy.
    pub old: Option<&'a [Vec<f32>]>,
    /// Under the reference of the KL penalty.
    pub reference: Option<&'a [Vec<f32>]>,
}

/// What is known about an update before it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyUpdate {
    /// Loss and coefficients.
    pub weighted: Weighted,
    /// Share of response tokens that the clip range affects.
    pub clip_fraction: f64,
    /// Estimate of the KL divergence from the reference, in nats per token; `None` without one.
    pub kl: Option<f64>,
}

impl Objective for PolicyGradient {
    fn inputs(&self) -> TokenInputs {
        TokenInputs {
            coefficients: true,
            current_log_probs: self.off_policy,
            old_log_probs: self.off_policy,
            reference_log_probs: self.objective.loss.kl > 0.0,
        }
    }

    fn loss(&self) -> &'static dyn HeadLoss {
        &WeightedLoss
    }
}

impl PolicyGradient {
    /// The coefficients of an update on rows with these advantages.
    ///
    /// # Errors
    /// When lengths or settings are invalid.
    pub fn weigh(
        &self,
        rows: &[TokenRow],
        advantages: &[f64],
        scores: PolicyScores<'_>,
    ) -> Result<PolicyUpdate, AlignError> {
        let batch = TokenBatch::new(rows, 0);
        let responses = batch.responses()?;
        let of = |values: &[Vec<f32>]| padded(values.iter().map(Vec::as_slice), batch.n_cols);
        let (policy, old, reference) = (of(scores.policy), scores.old.map(of), scores.reference.map(of));
        let log_probs = LogProbs { policy: &policy, old: old.as_deref(), reference: reference.as_deref() };
        let align::Objective { loss, aggregation, .. } = self.objective;
        let weights = aggregation.weights(&responses);
        let (total, coefficients) = token_coefficients(&loss, &weights, advantages, &log_probs, &responses)?;
        Ok(PolicyUpdate {
            weighted: Weighted::new(total, &coefficients, &batch, rows),
            clip_fraction: clip_fraction(&loss, advantages, &log_probs, &responses)?,
            kl: reference.map(|reference| mean_kl(&policy, &reference, &responses)).transpose()?,
        })
    }
}
