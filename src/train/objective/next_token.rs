//! Prediction of the next token: the mean cross-entropy over all tokens.

use super::{Objective, TokenInputs};
use crate::model::transformer::loss::{HeadLoss, MeanLoss};

/// The mean cross-entropy over all tokens.
#[derive(Clone, Copy, Debug)]
pub struct NextToken;

impl Objective for NextToken {
    fn inputs(&self) -> TokenInputs {
        TokenInputs::default()
    }

    fn loss(&self) -> &'static dyn HeadLoss {
        &MeanLoss
    }
}
