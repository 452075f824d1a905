//! Direct preference optimization (Rafailov et al. 2023), whose coefficients depend on the log-probabilities of a chosen and a
//! rejected response under the current and the reference weights.

use super::{Objective, TokenInputs, Weighted, padded};
use crate::align::{AlignError, Dpo, PairLogProbs, TokenBatch, TokenRow, masked_sum};
use crate::model::transformer::loss::{HeadLoss, WeightedLoss};

/// Direct preference optimization. The rows of N pairs are N chosen ones followed by N rejected ones.
#[derive(Clone, Copy, Debug)]
pub struct Preference {
    /// β and the weight of the likelihood.
    pub dpo: Dpo,
}

impl Objective for Preference {
    fn inputs(&self) -> TokenInputs {
        TokenInputs { coefficients: true, current_log_probs: true, old_log_probs: false, reference_log_probs: true }
    }

    fn loss(&self) -> &'static dyn HeadLoss {
        &WeightedLoss
    }
}

/// Σ of the log-probabilities of each row's response.
fn response_sums(batch: &TokenBatch, log_probs: &[Vec<f32>]) -> Result<Vec<f64>, AlignError> {
    let values = padded(log_probs.iter().map(Vec::as_slice), batch.n_cols);
    masked_sum(&values, &batch.mask, [batch.n_rows, batch.n_cols, 1])
}

impl Preference {
    /// The summed log-probabilities of all pairs, from those of the targets of every row under both weights.
    ///
    /// # Errors
    /// When lengths differ.
    pub fn pairs(
        rows: &[TokenRow],
        policy: &[Vec<f32>],
        reference: &[Vec<f32>],
    ) -> Result<Vec<PairLogProbs>, AlignError> {
        let batch = TokenBatch::new(rows, 0);
        let (policy, reference) = (response_sums(&batch, policy)?, response_sums(&batch, reference)?);
        let n = rows.len() / 2;
        let pair = |at: usize| PairLogProbs {
            policy_chosen: policy[at],
            policy_rejected: policy[n + at],
            ref_chosen: reference[at],
            ref_rejected: reference[n + at],
        };
        Ok((0..n).map(pair).collect())
    }

    /// The coefficients of an update on the rows of these pairs.
    ///
    /// # Errors
    /// When lengths differ.
    pub fn weigh(&self, rows: &[TokenRow], pairs: &[PairLogProbs]) -> Result<Weighted, AlignError> {
        let batch = TokenBatch::new(rows, 0);
        let (chosen, rejected) = batch.mask.split_at(batch.mask.len() / 2);
        let [chosen, rejected] = [chosen, rejected].map(|mask| crate::align::Responses::new(mask, batch.n_cols));
        let (chosen, rejected) = (chosen?, rejected?);
        let [first, second] = self.dpo.token_coefficients(pairs, &chosen, &rejected)?;
        let loss = self.dpo.mean_loss(pairs, chosen.n_tokens());
        Ok(Weighted::new(loss, &[first, second].concat(), &batch, rows))
    }
}
