//! Policy gradients: REINFORCE, GRPO and their relatives, whose coefficients depend on rewards and log-probabilities.

use super::{Objective, TokenInputs};
use crate::model::transformer::loss::{HeadLoss, WeightedLoss};

/// A policy-gradient objective.
#[derive(Clone, Copy, Debug)]
pub struct PolicyGradient {
    /// Whether responses are used for several updates, so that their tokens have importance ratios other than 1.
    pub off_policy: bool,
    /// Whether there is a penalty for the divergence from a reference.
    pub kl_penalty: bool,
}

impl Objective for PolicyGradient {
    fn inputs(&self) -> TokenInputs {
        TokenInputs {
            coefficients: true,
            current_log_probs: self.off_policy || self.kl_penalty,
            old_log_probs: self.off_policy,
            reference_log_probs: self.kl_penalty,
        }
    }

    fn loss(&self) -> &'static dyn HeadLoss {
        &WeightedLoss
    }
}
