//! Supervised fine-tuning: the cross-entropy of response tokens; coefficients of prompt tokens are 0.

use super::{Objective, TokenInputs};
use crate::model::transformer::loss::{HeadLoss, WeightedLoss};

/// The cross-entropy of response tokens.
#[derive(Clone, Copy, Debug)]
pub struct Sft;

impl Objective for Sft {
    fn inputs(&self) -> TokenInputs {
        TokenInputs { coefficients: true, ..TokenInputs::default() }
    }

    fn loss(&self) -> &'static dyn HeadLoss {
        &WeightedLoss
    }
}
