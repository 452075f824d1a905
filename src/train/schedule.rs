//! The learning rate over the steps.

use crate::config::TrainConfig;

/// Cosine schedule with linear warm-up, as CS336 defines it: `step · max/warmup` up to `warmup_steps`, then a half
/// cosine from `max_lr` down to `min_lr` at `cosine_steps`, then `min_lr`.
pub fn learning_rate(step: u64, train: &TrainConfig) -> f64 {
    let TrainConfig { max_lr, min_lr, warmup_steps, cosine_steps, .. } = *train;
    if step < warmup_steps {
        return max_lr * step as f64 / warmup_steps as f64;
    }
    if step >= cosine_steps {
        return min_lr;
    }
    let progress = (step - warmup_steps) as f64 / (cosine_steps - warmup_steps) as f64;
    min_lr + 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()) * (max_lr - min_lr)
}
