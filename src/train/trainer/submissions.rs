//! Splits a step into submissions, because drivers reset a device that works on a single one for too long.

use super::{MAX_STEPS_AT_ONCE, StepPrograms, Trainer};
use crate::ops::cost::Cost;

/// Approximate maximum duration of a submission.
const MAX_SECONDS: f64 = 0.3;

/// Maximum number of operations per submission before the device's speed is known.
const MAX_FLOPS: f64 = 5e10;

/// Number of operations that take about as long as reading one byte from memory on a GPU.
const FLOPS_PER_BYTE: f64 = 30.0;

impl Trainer {
    /// Sets the number of steps per submission, from 1 to [`MAX_STEPS_AT_ONCE`].
    pub fn set_steps_per_submit(&mut self, n_steps: usize) {
        self.steps_per_submit = n_steps.clamp(1, MAX_STEPS_AT_ONCE);
    }

    /// Number of submissions per training step; less than 1 if [`Trainer::set_steps_per_submit`] combines several steps.
    pub fn submits_per_step(&self) -> f64 {
        self.submissions as f64 / self.steps_per_submit as f64
    }

    /// Splits the step into as many submissions as necessary for steps of this duration; `None` if it is not known yet. After
    /// lost devices, submissions are shorter than necessary.
    pub fn limit_submissions(&mut self, seconds_per_step: Option<f64>) {
        let (program, batches) = match self.step_programs {
            StepPrograms::Whole(program) => (program, 1),
            StepPrograms::Accumulated { batch, .. } => (batch, self.config.train.accumulation_steps),
        };
        let n = match seconds_per_step {
            Some(seconds) => seconds / batches as f64 / MAX_SECONDS,
            None => self.step_costs().iter().map(|cost| cost.flops).sum::<f64>() / MAX_FLOPS,
        };
        let n = (n.ceil().max(1.0) * self.caution) as usize;
        if n != self.submissions {
            self.submissions = n;
            self.backend.split(program, splits(&self.step_costs(), n));
        }
    }
}

/// The dispatches before which a list is split into `n` parts of about equal cost.
fn splits(costs: &[Cost], n: usize) -> Vec<usize> {
    let cost = |cost: &Cost| cost.flops + FLOPS_PER_BYTE * cost.bytes;
    let total: f64 = costs.iter().map(cost).sum();
    let (mut splits, mut sum) = (Vec::new(), 0.0);
    for (index, of) in costs.iter().enumerate() {
        // Split before the cumulative cost exceeds the share of the parts so far.
        if index > 0 && sum + cost(of) > total * (splits.len() + 1) as f64 / n as f64 && splits.last() != Some(&index) {
            splits.push(index);
        }
        sum += cost(of);
    }
    splits.truncate(costs.len().saturating_sub(1));
    splits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cost_about_the_same() {
        let costs: Vec<Cost> = [1.0, 1.0, 5.0, 1.0, 1.0, 1.0].map(|flops| Cost { flops, bytes: 0.0 }).into();
        assert_eq!(splits(&costs, 1), Vec::<usize>::new());
        assert_eq!(splits(&costs, 2), [2]);
        assert_eq!(splits(&costs, 3), [2, 3]);
        let equal = vec![Cost { flops: 1.0, bytes: 0.0 }; 10];
        assert_eq!(splits(&equal, 5), [2, 4, 6, 8]);
        assert_eq!(splits(&equal, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
