//! Advantages of the responses to a prompt from their rewards.
//!
//! With r the reward of a response, and μ and s the mean and standard deviation (n − 1 in the denominator) of its group:
//!
//! | method | advantage | source |
//! |---|---|---|
//! | REINFORCE, RFT | r | Williams 1992 |
//! | Dr. GRPO | r − μ | Liu et al. 2025, arXiv:2503.20783 |
//! | GRPO | (r − μ) / (s + ε) | Shao et al. 2024, arXiv:2402.03300 |
//! | MaxRL | (r − μ) / (μ + ε) | maximum likelihood of success: the weight of a prompt is 1 / its success rate |

use super::error::AlignError;

/// ε in the denominators, as in Stanford's CS336.
pub const EPS: f64 = 1e-6;

/// What is subtracted from a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// The mean of the group.
    Mean,
    /// Nothing.
    None,
}

/// What the difference is divided by, plus ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalizer {
    /// The standard deviation of the group.
    Std,
    /// The mean of the group.
    Mean,
    /// Nothing.
    None,
}

/// How rewards become advantages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advantages {
    /// What is subtracted.
    pub baseline: Baseline,
    /// What the difference is divided by.
    pub normalizer: Normalizer,
    /// Added to the divisor.
    pub eps: f64,
}

impl Advantages {
    /// The rewards themselves.
    pub const REINFORCE: Self = Self { baseline: Baseline::None, normalizer: Normalizer::None, eps: EPS };
    /// r − μ
    pub const DR_GRPO: Self = Self { baseline: Baseline::Mean, normalizer: Normalizer::None, eps: EPS };
    /// (r − μ) / (s + ε)
    pub const GRPO: Self = Self { baseline: Baseline::Mean, normalizer: Normalizer::Std, eps: EPS };
    /// (r − μ) / (μ + ε)
    pub const MAX_RL: Self = Self { baseline: Baseline::Mean, normalizer: Normalizer::Mean, eps: EPS };

    /// The advantages of consecutive groups of `group_size` rewards. With a baseline, a group of equal rewards gets exactly 0,
    /// independent of rounding.
    ///
    /// # Errors
    /// When the rewards do not form complete groups.
    pub fn compute(&self, rewards: &[f64], group_size: usize) -> Result<Vec<f64>, AlignError> {
        if rewards.is_empty() || group_size == 0 || !rewards.len().is_multiple_of(group_size) {
            return Err(AlignError::Groups { rewards: rewards.len(), group_size });
        }
        Ok(rewards.chunks_exact(group_size).flat_map(|group| self.of_group(group)).collect())
    }

    fn of_group(&self, rewards: &[f64]) -> Vec<f64> {
        let n = rewards.len() as f64;
        let mean = rewards.iter().sum::<f64>() / n;
        let equal = rewards.iter().all(|&reward| reward == rewards[0]);
        let difference = |&reward: &f64| match self.baseline {
            Baseline::None => reward,
            Baseline::Mean if equal => 0.0,
            Baseline::Mean => reward - mean,
        };
        let divisor = match self.normalizer {
            Normalizer::None => 1.0,
            Normalizer::Mean => mean + self.eps,
            // PyTorch's standard deviation of a single number is NaN; here it is 0.
            Normalizer::Std if equal => self.eps,
            Normalizer::Std => {
                let squares: f64 = rewards.iter().map(|reward| (reward - mean).powi(2)).sum();
                (squares / (n - 1.0)).sqrt() + self.eps
            }
        };
        let advantage = |reward| match difference(reward) {
            0.0 => 0.0, // also where the divisor is 0
            difference => difference / divisor,
        };
        rewards.iter().map(advantage).collect()
    }
}
