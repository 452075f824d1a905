//! Supervised fine-tuning: the cross-entropy of response tokens; coefficients of prompt tokens are 0.

use super::{Objective, TokenInputs, Weighted};
use crate::align::{Aggregation, AlignError, TokenBatch, TokenRow, sft_coefficients};
use crate::model::transformer::loss::{HeadLoss, WeightedLoss};

/// The cross-entropy of response tokens.
#[derive(Clone, Copy, Debug)]
pub struct Sft {
    /// How the losses of tokens are combined.
    pub aggregation: Aggregation,
}

impl Objective for Sft {
    fn inputs(&self) -> TokenInputs {
        TokenInputs { coefficients: true, ..TokenInputs::default() }
    }

    fn loss(&self) -> &'static dyn HeadLoss {
        &WeightedLoss
    }
}

impl Sft {
    /// The coefficients of a step on these rows. Its loss is that of the device, Σ c·loss.
    ///
    /// # Errors
    /// When there are no rows.
    pub fn weigh(&self, rows: &[TokenRow]) -> Result<Vec<Vec<f32>>, AlignError> {
        let batch = TokenBatch::new(rows, 0);
        let coefficients = sft_coefficients(self.aggregation, &batch.responses()?);
        Ok(Weighted::new(0.0, &coefficients, &batch, rows).coefficients)
    }
}
