//! From losses per token to one number, and the weight of each token in it.

use super::error::{AlignError, expect_len};
use super::responses::Responses;

/// How the losses of a batch's response tokens are combined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// The mean over rows of the mean over a row's response tokens (GRPO). Rows without response tokens count as 0.
    Sequence,
    /// The sum divided by a constant, B·G·L_max for Dr. GRPO (arXiv:2503.20783).
    Constant(f64),
    /// The mean over all response tokens of the batch (DAPO, arXiv:2503.14476). 0 without response tokens.
    Token,
}

impl Aggregation {
    /// The weight (B, T) of every token's loss; 0 outside responses. Micro-batches use their rows of the whole batch's
    /// weights, so that their gradients add up to that of the batch.
    pub fn weights(&self, responses: &Responses<'_>) -> Vec<f64> {
        let n_rows = responses.n_rows() as f64;
        let n_tokens = responses.n_tokens() as f64;
        let per_row = responses.lengths().into_iter().map(|length| match *self {
            Self::Sequence => 1.0 / (n_rows * length as f64),
            Self::Constant(divisor) => 1.0 / divisor,
            Self::Token => 1.0 / n_tokens,
        });
        let row = |(mask, weight): (&[bool], f64)| -> Vec<f64> {
            mask.iter().map(|&counts| if counts { weight } else { 0.0 }).collect()
        };
        responses.rows().zip(per_row).flat_map(row).collect()
    }

    /// The aggregated loss of `losses` (B, T). Values outside responses are ignored, even if they are not finite.
    ///
    /// # Errors
    /// When the lengths differ.
    pub fn loss(&self, losses: &[f64], responses: &Responses<'_>) -> Result<f64, AlignError> {
        expect_len("the losses", losses.len(), responses.mask().len())?;
        Ok(weighted_sum(losses, &self.weights(responses)))
    }
}

/// Σ weight · loss over the tokens with a weight.
pub(super) fn weighted_sum(losses: &[f64], weights: &[f64]) -> f64 {
    losses.iter().zip(weights).filter(|(_, weight)| **weight != 0.0).map(|(loss, weight)| loss * weight).sum()
}

/// Sums of the values whose flag is set, and their number, along one dimension of a tensor seen as (outer, size, inner):
/// (outer, inner) of each.
fn masked_totals(values: &[f64], mask: &[bool], [outer, size, inner]: [usize; 3]) -> Vec<(f64, usize)> {
    let total = |at: usize| {
        let (block, column) = (at / inner, at % inner);
        let cells = (0..size).map(|i| (block * size + i) * inner + column).filter(|&cell| mask[cell]);
        cells.fold((0.0, 0), |(sum, count), cell| (sum + values[cell], count + 1))
    };
    (0..outer * inner).map(total).collect()
}

/// Means of the values whose flag is set, along the middle of three dimensions; NaN where no flag is set.
///
/// # Errors
/// When the lengths differ from the product of the dimensions.
pub fn masked_mean(values: &[f64], mask: &[bool], dims: [usize; 3]) -> Result<Vec<f64>, AlignError> {
    check(values, mask, dims)?;
    Ok(masked_totals(values, mask, dims).into_iter().map(|(sum, count)| sum / count as f64).collect())
}

/// Sums of the values whose flag is set, along the middle of three dimensions.
///
/// # Errors
/// When the lengths differ from the product of the dimensions.
pub fn masked_sum(values: &[f64], mask: &[bool], dims: [usize; 3]) -> Result<Vec<f64>, AlignError> {
    check(values, mask, dims)?;
    Ok(masked_totals(values, mask, dims).into_iter().map(|(sum, _)| sum).collect())
}

fn check(values: &[f64], mask: &[bool], dims: [usize; 3]) -> Result<(), AlignError> {
    expect_len("the values", values.len(), dims.iter().product())?;
    expect_len("the mask", mask.len(), values.len())
}
