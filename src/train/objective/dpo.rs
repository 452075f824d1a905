//! Direct preference optimization (Rafailov et al. 2023), whose coefficients depend on the log-probabilities of a chosen and a
//! rejected response under the current and the reference weights.

use super::{Objective, TokenInputs};
use crate::model::transformer::loss::{HeadLoss, WeightedLoss};

/// Direct preference optimization.
#[derive(Clone, Copy, Debug)]
pub struct Dpo;

impl Objective for Dpo {
    fn inputs(&self) -> TokenInputs {
        TokenInputs { coefficients: true, current_log_probs: true, old_log_probs: false, reference_log_probs: true }
    }

    fn loss(&self) -> &'static dyn HeadLoss {
        &WeightedLoss
    }
}
