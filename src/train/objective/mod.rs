//! Training objectives: which values each needs for every token, and how it turns logits into a loss.
//!
//! Every objective but plain next-token prediction weighs tokens by coefficients (B, T) that are computed before a step, from
//! masks, rewards or log-probabilities ([`crate::align`]); one kernel then serves all of them
//! ([`WeightedLoss`](crate::model::transformer::loss::WeightedLoss)).

mod next_token;
mod policy_gradient;
mod preference;
mod sft;

pub use next_token::NextToken;
pub use policy_gradient::{PolicyGradient, PolicyScores, PolicyUpdate};
pub use preference::Preference;
pub use sft::Sft;

use crate::align::{TokenBatch, TokenRow};
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
    /// Log-probabilities under the reference weights, a copy of which stays in memory.
    pub reference_log_probs: bool,
}

/// A training objective.
pub trait Objective {
    /// The values per token that it needs.
    fn inputs(&self) -> TokenInputs;

    /// The loss part of a recording.
    fn loss(&self) -> &'static dyn HeadLoss;
}

/// The loss of a step on rows, and the coefficients of each row's targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// The loss before the step.
    pub loss: f64,
    /// One coefficient for every target.
    pub coefficients: Vec<Vec<f32>>,
}

impl Weighted {
    /// From coefficients (B, T) of padded rows.
    fn new(loss: f64, padded: &[f64], batch: &TokenBatch, rows: &[TokenRow]) -> Self {
        let row = |(values, row): (&[f64], &TokenRow)| -> Vec<f32> {
            values.iter().take(row.ids.len().saturating_sub(1)).map(|&value| value as f32).collect()
        };
        Self { loss, coefficients: padded.chunks_exact(batch.n_cols).zip(rows).map(row).collect() }
    }
}

/// Values of every row's targets as (B, T), with 0 for padding.
fn padded<'a>(rows: impl IntoIterator<Item = &'a [f32]>, n_cols: usize) -> Vec<f64> {
    let row =
        |values: &'a [f32]| values.iter().map(|&value| f64::from(value)).chain(std::iter::repeat(0.0)).take(n_cols);
    rows.into_iter().flat_map(row).collect()
}
