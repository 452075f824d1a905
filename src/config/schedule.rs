//! Learning rate schedules.

use glasshead_cpu::math::cos;

use super::{Schedule, TrainConfig};

/// Linear warm-up, `step · max/warmup` up to `warmup_steps`; then the schedule, from `max_lr` down to `min_lr` at
/// `schedule_steps`; then `min_lr`. [`Schedule::Cosine`] is CS336's schedule. A constant schedule stays at `max_lr`;
/// [`Schedule::Wsd`] does so until the last `decay_fraction` of the steps.
pub fn learning_rate(step: u64, train: &TrainConfig) -> f64 {
    let TrainConfig { max_lr, min_lr, warmup_steps, schedule_steps, .. } = *train;
    if step < warmup_steps {
        return max_lr * (step as f64 / warmup_steps as f64);
    }
    let progress =
        if step < schedule_steps { (step - warmup_steps) as f64 / (schedule_steps - warmup_steps) as f64 } else { 1.0 };
    let weight = match train.schedule {
        Schedule::Constant => return max_lr,
        Schedule::Cosine => 0.5 * (1.0 + cos(std::f64::consts::PI * progress)),
        Schedule::Linear => 1.0 - progress,
        // If warm-up takes the whole schedule, no steps remain for the decay.
        Schedule::Wsd if step >= schedule_steps => 0.0,
        Schedule::Wsd => {
            let stable = (schedule_steps as f64 * (1.0 - train.decay_fraction)).max(warmup_steps as f64);
            1.0 - ((step as f64 - stable) / (schedule_steps as f64 - stable)).max(0.0)
        }
    };
    // A weighted mean of two rates cannot overflow, unlike their difference.
    weight * max_lr + (1.0 - weight) * min_lr
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn wsd_is_stable_and_then_falls_in_a_line() {
        let mut train = Preset::Nano.config().train;
        (train.schedule, train.max_lr, train.min_lr) = (Schedule::Wsd, 1.0, 0.5);
        (train.warmup_steps, train.schedule_steps, train.decay_fraction) = (10, 100, 0.2);
        let lr = |step| learning_rate(step, &train);
        assert_eq!([lr(5), lr(10), lr(79), lr(80)], [0.5, 1.0, 1.0, 1.0]);
        assert!((lr(90) - 0.75).abs() < 1e-12 && lr(100) == 0.5 && lr(1000) == 0.5);
        train.warmup_steps = 100;
        assert_eq!([learning_rate(99, &train), learning_rate(100, &train)], [0.99, 0.5]);
        (train.warmup_steps, train.decay_fraction) = (0, 1.0);
        assert!((learning_rate(50, &train) - 0.75).abs() < 1e-12, "a decay from the start is a linear schedule");
    }
}
