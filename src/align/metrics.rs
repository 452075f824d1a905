//! What is reported while a policy is trained.

use super::error::{AlignError, expect_len};
use super::policy_loss::{LogProbs, PolicyLoss, k3};
use super::responses::Responses;

/// The share of response tokens whose gradient or factor the clip range changed; prompt and padding do not count. NaN without
/// response tokens.
///
/// # Errors
/// When lengths or settings are invalid.
pub fn clip_fraction(
    loss: &PolicyLoss,
    advantages: &[f64],
    log_probs: &LogProbs<'_>,
    responses: &Responses<'_>,
) -> Result<f64, AlignError> {
    let tokens = loss.tokens(advantages, log_probs, responses)?;
    let clipped = tokens.iter().zip(responses.mask()).filter(|(token, counts)| **counts && token.clipped).count();
    Ok(clipped as f64 / responses.n_tokens() as f64)
}

/// The share of groups without a gradient: all advantages are 0, because all rewards are equal. NaN without groups.
pub fn groups_without_signal(advantages: &[f64], group_size: usize) -> f64 {
    let groups = advantages.chunks_exact(group_size.max(1));
    let n_groups = groups.len() as f64;
    groups.filter(|group| group.iter().all(|&advantage| advantage == 0.0)).count() as f64 / n_groups
}

/// The mean over response tokens of the k3 estimate of the KL divergence of `policy` (B, T) from `reference` (B, T), in nats.
/// NaN without response tokens.
///
/// # Errors
/// When lengths differ.
pub fn mean_kl(policy: &[f64], reference: &[f64], responses: &Responses<'_>) -> Result<f64, AlignError> {
    expect_len("policy_log_probs", policy.len(), responses.mask().len())?;
    expect_len("ref_log_probs", reference.len(), responses.mask().len())?;
    let pairs = policy.iter().zip(reference).zip(responses.mask()).filter(|(_, counts)| **counts);
    let sum: f64 = pairs.map(|((&policy, &reference), _)| k3(policy, reference).0).sum();
    Ok(sum / responses.n_tokens() as f64)
}

/// The probability that at least one of `k` of `n` samples is right when `right` of all are: 1 − C(n − right, k) / C(n, k),
/// which estimates pass@k without bias (Chen et al. 2021, arXiv:2107.03374). `k` is at most `n`.
pub fn pass_at_k(n: usize, right: usize, k: usize) -> f64 {
    let (k, wrong) = (k.min(n), n - right.min(n));
    if k > wrong {
        return if right > 0 { 1.0 } else { 0.0 };
    }
    1.0 - (0..k).map(|i| (wrong - i) as f64 / (n - i) as f64).product::<f64>()
}
