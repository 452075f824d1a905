//! Sampling of the next token from logits.

use crate::train::trainer::TrainError;
use crate::types::Sampling;

/// Checks that logits can be sampled from: none is NaN or positive infinity, and at least one is finite.
///
/// # Errors
/// If they cannot.
pub fn check_logits(logits: &[f32]) -> Result<(), TrainError> {
    match logits.iter().find(|logit| logit.is_nan() || **logit == f32::INFINITY) {
        Some(&logit) => Err(TrainError::Logits { logit }),
        None if logits.iter().any(|logit| logit.is_finite()) => Ok(()),
        None => Err(TrainError::Logits { logit: f32::NEG_INFINITY }),
    }
}

/// The candidate tokens and their probabilities in descending order: softmax of logits / temperature, truncated by `top_k` and
/// then by `top_p`. Temperature 0 leaves the most likely token only.
pub fn candidates(logits: &[f32], sampling: &Sampling) -> Vec<(u32, f32)> {
    let mut sorted: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let keep = match (sampling.temperature > 0.0, sampling.top_k) {
        (false, _) => 1,
        (true, 0) => sorted.len(),
        (true, top_k) => top_k,
    };
    sorted.truncate(keep);
    let largest = sorted.first().map_or(0.0, |&(_, logit)| logit);
    let temperature = if sampling.temperature > 0.0 { sampling.temperature } else { 1.0 };
    sorted.iter_mut().for_each(|(_, logit)| *logit = ((*logit - largest) / temperature).exp());
    let sum: f32 = sorted.iter().map(|&(_, weight)| weight).sum();
    let mut reached = 0.0;
    let end = sorted.iter().position(|&(_, weight)| {
        reached += weight / sum;
        reached >= sampling.top_p
    });
    sorted.truncate(end.map_or(sorted.len(), |last| last + 1));
    let kept: f32 = sorted.iter().map(|&(_, weight)| weight).sum();
    sorted.iter_mut().for_each(|(_, weight)| *weight /= kept);
    sorted
}

/// The candidate at `uniform`, a number in [0, 1), of the cumulative distribution; `None` without candidates.
pub fn choose(candidates: &[(u32, f32)], uniform: f64) -> Option<u32> {
    let mut left = uniform as f32;
    for &(id, probability) in candidates {
        left -= probability;
        if left < 0.0 {
            return Some(id);
        }
    }
    candidates.last().map(|&(id, _)| id) // rounding may leave a crumb
}
