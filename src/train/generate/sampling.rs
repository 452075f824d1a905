//! Sampling of the next token from logits.

use crate::train::top_k::top_k;
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
    let keep = match (sampling.temperature > 0.0, sampling.top_k) {
        (false, _) => 1,
        (true, 0) => logits.len(),
        (true, top_k) => top_k,
    };
    let mut sorted: Vec<(u32, f32)> = top_k(logits, keep).into_iter().map(|id| (id, logits[id as usize])).collect();
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
