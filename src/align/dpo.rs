//! Direct preference optimization (Rafailov et al. 2023, arXiv:2305.18290).
//!
//! The margin of a pair is m = (log π(y_w) − log π_ref(y_w)) − (log π(y_l) − log π_ref(y_l)), where log-probabilities are
//! sums over the response including its end; the loss is −log σ(β·m).

use super::error::{AlignError, expect_len};
use super::responses::Responses;

/// Summed log-probabilities of the chosen and the rejected response to one prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairLogProbs {
    /// Of the chosen response under the policy.
    pub policy_chosen: f64,
    /// Of the rejected response under the policy.
    pub policy_rejected: f64,
    /// Of the chosen response under the reference.
    pub ref_chosen: f64,
    /// Of the rejected response under the reference.
    pub ref_rejected: f64,
}

impl PairLogProbs {
    /// m: by how much the policy prefers the chosen response more than the reference does.
    pub fn margin(&self) -> f64 {
        (self.policy_chosen - self.ref_chosen) - (self.policy_rejected - self.ref_rejected)
    }
}

/// Settings of the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dpo {
    /// β, usually 0.1.
    pub beta: f64,
    /// Weight of the mean negative log-likelihood per token of the chosen responses, which keeps their probability from
    /// falling (Pang et al. 2024, arXiv:2404.19733); 0 for plain DPO.
    pub nll: f64,
}

impl Dpo {
    /// −log σ(β·m), without overflow.
    pub fn loss(&self, pair: &PairLogProbs) -> f64 {
        let z = -self.beta * pair.margin();
        z.max(0.0) + (-z.abs()).exp().ln_1p()
    }

    /// β·σ(−β·m): the coefficient of each token of the chosen response, and minus that of each token of the rejected one.
    pub fn coefficient(&self, pair: &PairLogProbs) -> f64 {
        self.beta / (1.0 + (self.beta * pair.margin()).exp())
    }

    /// The coefficients of the chosen (N, T) and of the rejected (N, T) responses, for the mean loss of N pairs.
    ///
    /// # Errors
    /// When the numbers of rows differ from that of the pairs.
    pub fn token_coefficients(
        &self,
        pairs: &[PairLogProbs],
        chosen: &Responses<'_>,
        rejected: &Responses<'_>,
    ) -> Result<[Vec<f64>; 2], AlignError> {
        expect_len("the chosen responses", chosen.n_rows(), pairs.len())?;
        expect_len("the rejected responses", rejected.n_rows(), pairs.len())?;
        let n = pairs.len() as f64;
        let per_token = match chosen.n_tokens() {
            0 => 0.0,
            tokens => self.nll / tokens as f64,
        };
        let of = |responses: &Responses<'_>, sign: f64, added: f64| -> Vec<f64> {
            let row = |(mask, pair): (&[bool], &PairLogProbs)| -> Vec<f64> {
                let coefficient = sign * self.coefficient(pair) / n + added;
                mask.iter().map(|&counts| if counts { coefficient } else { 0.0 }).collect()
            };
            responses.rows().zip(pairs).flat_map(row).collect()
        };
        Ok([of(chosen, 1.0, per_token), of(rejected, -1.0, 0.0)])
    }

    /// The mean loss of the pairs, including the negative log-likelihood of the chosen responses' `n_chosen_tokens`.
    pub fn mean_loss(&self, pairs: &[PairLogProbs], n_chosen_tokens: usize) -> f64 {
        let preference = pairs.iter().map(|pair| self.loss(pair)).sum::<f64>() / pairs.len().max(1) as f64;
        let likelihood: f64 = pairs.iter().map(|pair| pair.policy_chosen).sum();
        preference - self.nll * likelihood / n_chosen_tokens.max(1) as f64
    }
}

/// The share of pairs whose margin is positive: the policy's implicit reward prefers the chosen response. NaN without pairs.
pub fn implicit_reward_accuracy(pairs: &[PairLogProbs]) -> f64 {
    pairs.iter().filter(|pair| pair.margin() > 0.0).count() as f64 / pairs.len() as f64
}
