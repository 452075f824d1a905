//! Pairs of preference optimization, with their log-probabilities under the reference.

use super::{RunError, update};
use crate::align::TokenRow;
use crate::train::trainer::Trainer;

/// Rows of chosen and rejected responses, with the log-probabilities of their targets under the reference.
#[derive(Default)]
pub(super) struct Pairs {
    pub(super) rows: Vec<[TokenRow; 2]>,
    reference: Vec<[Vec<f32>; 2]>,
}

impl Pairs {
    /// Scores the rows of all pairs.
    pub(super) async fn scored(trainer: &mut Trainer, rows: Vec<[TokenRow; 2]>) -> Result<Self, RunError> {
        if rows.is_empty() {
            return Ok(Self::default());
        }
        let flat: Vec<TokenRow> = rows.iter().flatten().cloned().collect();
        let mut scores = update::log_probs(trainer, &flat).await?.into_iter();
        let mut reference = Vec::with_capacity(rows.len());
        while let (Some(chosen), Some(rejected)) = (scores.next(), scores.next()) {
            reference.push([chosen, rejected]);
        }
        Ok(Self { rows, reference })
    }

    /// The rows of some pairs, chosen ones first, and their reference log-probabilities.
    pub(super) fn select(&self, indices: &[usize]) -> (Vec<TokenRow>, Vec<Vec<f32>>) {
        let side = |side: usize| {
            indices.iter().map(move |&at| (self.rows[at][side].clone(), self.reference[at][side].clone()))
        };
        side(0).chain(side(1)).unzip()
    }
}
