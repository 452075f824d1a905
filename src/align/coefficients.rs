//! One coefficient per token: ∂L/∂logits_t = c_t · (softmax(logits_t) − onehot(label_t)).
//!
//! Since ∂ log π(label)/∂logits = onehot − softmax, c_t = −(weight of the token) · ∂(its loss)/∂ log π.

use super::advantages::Advantages;
use super::aggregate::{Aggregation, weighted_sum};
use super::error::{AlignError, expect_len};
use super::policy_loss::{ImportanceWeights, LogProbs, PolicyLoss};
use super::responses::Responses;

/// A named combination of advantages, loss and aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Rejection fine-tuning: responses weighted by their reward.
    Rft,
    /// REINFORCE without a baseline.
    Reinforce,
    /// REINFORCE with the mean of the group as its baseline.
    ReinforceWithBaseline,
    /// Group relative policy optimization.
    Grpo,
    /// GRPO without division by standard deviation and length.
    DrGrpo,
    /// GRPO with the group's mean as divisor.
    MaxRl,
    /// GRPO with one ratio per response.
    Gspo,
    /// Clipped ratios as constant factors.
    Cispo,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 8] = [
        Self::Rft,
        Self::Reinforce,
        Self::ReinforceWithBaseline,
        Self::Grpo,
        Self::DrGrpo,
        Self::MaxRl,
        Self::Gspo,
        Self::Cispo,
    ];

    /// The name in requests and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rft => "rft",
            Self::Reinforce => "reinforce",
            Self::ReinforceWithBaseline => "reinforce_with_baseline",
            Self::Grpo => "grpo",
            Self::DrGrpo => "dr_grpo",
            Self::MaxRl => "maxrl",
            Self::Gspo => "gspo",
            Self::Cispo => "cispo",
        }
    }

    /// The method with this name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// The method's usual settings. `constant` is the divisor of [`Aggregation::Constant`], B·G·L_max.
    pub fn objective(self, constant: f64) -> Objective {
        let of = |advantages, weights, cliprange, aggregation| Objective {
            advantages,
            loss: PolicyLoss { weights, cliprange, kl: 0.0 },
            aggregation,
        };
        use ImportanceWeights::{Cispo, Grpo, Gspo, None};
        match self {
            Self::Rft | Self::Reinforce => of(Advantages::REINFORCE, None, 0.2, Aggregation::Sequence),
            Self::ReinforceWithBaseline => of(Advantages::DR_GRPO, None, 0.2, Aggregation::Sequence),
            Self::Grpo => of(Advantages::GRPO, Grpo, 0.2, Aggregation::Sequence),
            Self::DrGrpo => of(Advantages::DR_GRPO, Grpo, 0.2, Aggregation::Constant(constant)),
            Self::MaxRl => of(Advantages::MAX_RL, Grpo, 0.2, Aggregation::Sequence),
            Self::Gspo => of(Advantages::GRPO, Gspo, 3e-4, Aggregation::Sequence),
            Self::Cispo => of(Advantages::GRPO, Cispo, 0.2, Aggregation::Token),
        }
    }
}

/// Everything that turns rewards and log-probabilities into coefficients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// From rewards to advantages.
    pub advantages: Advantages,
    /// From advantages to losses per token.
    pub loss: PolicyLoss,
    /// From losses per token to the loss.
    pub aggregation: Aggregation,
}

impl Objective {
    /// The loss, and the coefficients (B, T), of B responses with these rewards.
    ///
    /// # Errors
    /// When lengths or settings are invalid.
    pub fn compute(
        &self,
        rewards: &[f64],
        group_size: usize,
        log_probs: &LogProbs<'_>,
        responses: &Responses<'_>,
    ) -> Result<(f64, Vec<f64>), AlignError> {
        let advantages = self.advantages.compute(rewards, group_size)?;
        token_coefficients(&self.loss, &self.aggregation.weights(responses), &advantages, log_probs, responses)
    }
}

/// The loss, and the coefficients (B, T), for given advantages. `weights` (B, T) come from [`Aggregation::weights`]; for a
/// micro-batch they are its rows of the whole batch's weights, and its losses add up to that of the batch.
///
/// # Errors
/// When lengths or settings are invalid.
pub fn token_coefficients(
    loss: &PolicyLoss,
    weights: &[f64],
    advantages: &[f64],
    log_probs: &LogProbs<'_>,
    responses: &Responses<'_>,
) -> Result<(f64, Vec<f64>), AlignError> {
    expect_len("the weights", weights.len(), responses.mask().len())?;
    let tokens = loss.tokens(advantages, log_probs, responses)?;
    let losses: Vec<f64> = tokens.iter().map(|token| token.loss).collect();
    let coefficient = |(token, &weight): (&super::policy_loss::TokenLoss, &f64)| match weight {
        0.0 => 0.0,
        weight => -weight * token.derivative,
    };
    Ok((weighted_sum(&losses, weights), tokens.iter().zip(weights).map(coefficient).collect()))
}

/// The coefficients (B, T) of supervised fine-tuning: the loss is the aggregated negative log-likelihood of the responses,
/// so they are the weights themselves.
pub fn sft_coefficients(aggregation: Aggregation, responses: &Responses<'_>) -> Vec<f64> {
    aggregation.weights(responses)
}
