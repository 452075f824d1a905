//! Training objectives: which values each needs for every token, and how it turns logits into a loss.
//!
//! Every objective but plain next-token prediction weighs tokens by coefficients (B, T) that are computed before a step, from
//! masks, rewards or log-probabilities; one kernel then serves all of them
//! ([`WeightedLoss`](crate::model::transformer::loss::WeightedLoss)).

mod dpo;
mod next_token;
mod policy_gradient;
mod sft;

pub use dpo::Dpo;
pub use next_token::NextToken;
pub use policy_gradient::PolicyGradient;
pub use sft::Sft;

use crate::model::transformer::loss::HeadLoss;

/// The values per token (B, T) that an objective needs besides inputs and targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenInputs {
    /// The factor of each token's loss, in a buffer on the device.
    pub coefficients: bool,
    /// Log-probabilities under the current weights before the step, which costs another forward pass.
    pub current_log_probs: bool,
    /// Log-probabilities under the weights that sampled the tokens.
    pub old_log_probs: bool,
    /// Log-probabilities under the reference weights, a copy of which is kept in memory.
    pub reference_log_probs: bool,
}

/// A training objective.
pub trait Objective {
    /// The values per token that it needs.
    fn inputs(&self) -> TokenInputs;

    /// The loss part of a recording.
    fn loss(&self) -> &'static dyn HeadLoss;
}
