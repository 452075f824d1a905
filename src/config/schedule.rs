//! The learning rate over the steps.

use super::{Schedule, TrainConfig};

/// Linear warm-up, `step · max/warmup` up to `warmup_steps`; then the schedule, from `max_lr` down to `min_lr` at
/// `schedule_steps`; then `min_lr`. With [`Schedule::Cosine`] this is CS336's schedule. A constant one stays at
/// `max_lr`.
pub fn learning_rate(step: u64, train: &TrainConfig) -> f64 {
    let TrainConfig { max_lr, min_lr, warmup_steps, schedule_steps, .. } = *train;
    if step < warmup_steps {
        return max_lr * (step as f64 / warmup_steps as f64);
    }
    let progress =
        if step < schedule_steps { (step - warmup_steps) as f64 / (schedule_steps - warmup_steps) as f64 } else { 1.0 };
    let weight = match train.schedule {
        Schedule::Constant => return max_lr,
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        Schedule::Linear => 1.0 - progress,
    };
    // A mean with weights overflows for no rates, as their difference would.
    weight * max_lr + (1.0 - weight) * min_lr
}
