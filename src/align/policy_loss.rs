//! Policy-gradient losses per token, and their derivatives with respect to the log-probability of the token.
//!
//! With A the advantage of the response, d = log π − log π_old of a token, w = exp(d), c the clip range and sg(·) a factor
//! through which no gradient flows:
//!
//! | weights | loss | source |
//! |---|---|---|
//! | none | −A · log π | Williams 1992 |
//! | no clip | −w · A | importance sampling |
//! | GRPO | −min(w · A, clip(w, 1 − c, 1 + c) · A) | PPO, Schulman et al. 2017, arXiv:1707.06347 |
//! | GSPO | as GRPO, with the mean of d over the response in place of d | Zheng et al. 2025, arXiv:2507.18071 |
//! | CISPO | −sg(clip(w, 1 − c, 1 + c)) · A · log π | MiniMax 2025, arXiv:2506.13585 |
//!
//! The optional penalty β · (exp(e) − e − 1) with e = log π_ref − log π estimates the KL divergence from a reference
//! without bias and is never negative (k3; Schulman 2020, "Approximating KL divergence").

use super::error::{AlignError, expect_len};
use super::responses::Responses;

/// How a token's loss accounts for the difference between the policy and the one that sampled the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportanceWeights {
    /// Not at all: on-policy.
    None,
    /// By the ratio of the probabilities, not clipped.
    NoClip,
    /// By the clipped ratio of each token.
    Grpo,
    /// By the clipped ratio of the whole response: the geometric mean of its tokens' ratios.
    Gspo,
    /// By the clipped ratio of each token, as a constant.
    Cispo,
}

impl ImportanceWeights {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::None, Self::NoClip, Self::Grpo, Self::Gspo, Self::Cispo];

    /// The name in requests and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::NoClip => "noclip",
            Self::Grpo => "grpo",
            Self::Gspo => "gspo",
            Self::Cispo => "cispo",
        }
    }

    /// The kind with this name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|weights| weights.name() == name)
    }
}

/// Log-probabilities (B, T) of the labels.
#[derive(Clone, Copy, Debug)]
pub struct LogProbs<'a> {
    /// Of the policy that is trained.
    pub policy: &'a [f64],
    /// Of the policy that sampled the responses; `None` if it is the same.
    pub old: Option<&'a [f64]>,
    /// Of the reference of the KL penalty.
    pub reference: Option<&'a [f64]>,
}

impl LogProbs<'_> {
    fn check(&self, len: usize) -> Result<(), AlignError> {
        expect_len("policy_log_probs", self.policy.len(), len)?;
        self.old.map_or(Ok(()), |old| expect_len("old_log_probs", old.len(), len))?;
        self.reference.map_or(Ok(()), |reference| expect_len("ref_log_probs", reference.len(), len))
    }

    /// log π − log π_old of a token.
    fn log_ratio(&self, at: usize) -> f64 {
        self.old.map_or(0.0, |old| self.policy[at] - old[at])
    }
}

/// A loss per token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolicyLoss {
    /// The importance weights.
    pub weights: ImportanceWeights,
    /// c: ratios are clipped to 1 ± c.
    pub cliprange: f64,
    /// β of the KL penalty; 0 for none.
    pub kl: f64,
}

/// A token's loss, its derivative with respect to the token's log-probability, and whether clipping changed it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TokenLoss {
    pub(super) loss: f64,
    pub(super) derivative: f64,
    pub(super) clipped: bool,
}

impl PolicyLoss {
    /// −A · log π.
    pub const ON_POLICY: Self = Self { weights: ImportanceWeights::None, cliprange: 0.2, kl: 0.0 };

    /// The loss (B, T) of every token, including those outside responses. `advantages` has one value per row.
    ///
    /// # Errors
    /// When lengths differ, the reference is missing, or the clip range is invalid.
    pub fn losses(
        &self,
        advantages: &[f64],
        log_probs: &LogProbs<'_>,
        responses: &Responses<'_>,
    ) -> Result<Vec<f64>, AlignError> {
        Ok(self.tokens(advantages, log_probs, responses)?.into_iter().map(|token| token.loss).collect())
    }

    /// The loss of every token with its derivative. For GSPO the derivative is that of the sum of the losses of the row's
    /// response tokens, which share one ratio.
    pub(super) fn tokens(
        &self,
        advantages: &[f64],
        log_probs: &LogProbs<'_>,
        responses: &Responses<'_>,
    ) -> Result<Vec<TokenLoss>, AlignError> {
        self.check(advantages, log_probs, responses)?;
        let n_cols = responses.n_cols();
        let mut tokens = Vec::with_capacity(responses.mask().len());
        for (row, (mask, &advantage)) in responses.rows().zip(advantages).enumerate() {
            let cells = row * n_cols..(row + 1) * n_cols;
            let whole_row = (self.weights == ImportanceWeights::Gspo).then(|| {
                let counted =
                    cells.clone().zip(mask).filter(|(_, counts)| **counts).map(|(at, _)| log_probs.log_ratio(at));
                let (sum, count) = counted.fold((0.0, 0.0), |(sum, count), log_ratio| (sum + log_ratio, count + 1.0));
                if count == 0.0 { 0.0 } else { sum / count }
            });
            tokens.extend(cells.map(|at| {
                let log_ratio = whole_row.unwrap_or_else(|| log_probs.log_ratio(at));
                self.add_kl(self.token(advantage, log_probs.policy[at], log_ratio), log_probs, at)
            }));
        }
        Ok(tokens)
    }

    fn check(&self, advantages: &[f64], log_probs: &LogProbs<'_>, responses: &Responses<'_>) -> Result<(), AlignError> {
        expect_len("the advantages", advantages.len(), responses.n_rows())?;
        log_probs.check(responses.mask().len())?;
        let setting =
            |field, found: f64, expected| Err(AlignError::Setting { field, found: found.to_string(), expected });
        if !(self.cliprange >= 0.0 && self.cliprange.is_finite()) {
            return setting("cliprange", self.cliprange, "a number from 0 on");
        }
        if !(self.kl >= 0.0 && self.kl.is_finite()) {
            return setting("kl", self.kl, "a number from 0 on");
        }
        if self.kl > 0.0 && log_probs.reference.is_none() {
            return Err(AlignError::Missing { method: "the KL penalty", needed: "log-probabilities of the reference" });
        }
        Ok(())
    }

    fn token(&self, advantage: f64, log_prob: f64, log_ratio: f64) -> TokenLoss {
        // Also keeps an infinite ratio from becoming NaN.
        if advantage == 0.0 {
            return TokenLoss::default();
        }
        let ratio = log_ratio.exp();
        let clamped = ratio.clamp(1.0 - self.cliprange, 1.0 + self.cliprange);
        let on_policy = |factor: f64, clipped| TokenLoss {
            loss: -factor * advantage * log_prob,
            derivative: -factor * advantage,
            clipped,
        };
        let unclipped = TokenLoss { loss: -ratio * advantage, derivative: -ratio * advantage, clipped: false };
        match self.weights {
            ImportanceWeights::None => on_policy(1.0, false),
            ImportanceWeights::NoClip => unclipped,
            ImportanceWeights::Cispo => on_policy(clamped, clamped != ratio),
            ImportanceWeights::Grpo | ImportanceWeights::Gspo if clamped * advantage < ratio * advantage => {
                TokenLoss { loss: -clamped * advantage, derivative: 0.0, clipped: true }
            }
            ImportanceWeights::Grpo | ImportanceWeights::Gspo => unclipped,
        }
    }

    fn add_kl(&self, token: TokenLoss, log_probs: &LogProbs<'_>, at: usize) -> TokenLoss {
        let Some(reference) = log_probs.reference.filter(|_| self.kl > 0.0) else { return token };
        let (penalty, derivative) = k3(log_probs.policy[at], reference[at]);
        TokenLoss { loss: token.loss + self.kl * penalty, derivative: token.derivative + self.kl * derivative, ..token }
    }
}

/// exp(e) − e − 1 with e = log π_ref − log π, and its derivative with respect to log π.
pub(super) fn k3(log_prob: f64, reference: f64) -> (f64, f64) {
    let difference = reference - log_prob;
    (difference.exp_m1() - difference, -difference.exp_m1())
}
