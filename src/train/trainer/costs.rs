//! Costs of a training step, by dispatch.

use super::{StepPrograms, TrainError, Trainer};
use crate::gpu::clock::now_ns;
use crate::gpu::profile::Timing;
use crate::model::transformer::Transformer;
use crate::ops::cost::{Cost, costs};

/// Number of replays averaged by a profile: timestamps that a browser rounds down are correct only on average.
const REPLAYS: usize = 20;

/// Maximum duration of the replays; slow devices do not need an average.
const REPLAY_NS: f64 = 3e8;

impl Trainer {
    /// Runs additional training steps and returns the mean duration of each dispatch.
    ///
    /// # Errors
    /// If a GPU has no timestamp queries, was lost, or rejected a command.
    pub async fn profile_step(&mut self) -> Result<Vec<Timing>, TrainError> {
        self.submit(1);
        self.collect().await?;
        let (StepPrograms::Whole(program) | StepPrograms::Accumulated { batch: program, .. }) = self.step_programs;
        let (began, mut n) = (now_ns(), 1);
        let mut timings = self.backend.profile(program).await?;
        while n < REPLAYS && now_ns() - began < REPLAY_NS {
            let replay = self.backend.profile(program).await?;
            timings.iter_mut().zip(replay).for_each(|(sum, timing)| sum.ns += timing.ns);
            n += 1;
        }
        timings.iter_mut().for_each(|timing| timing.ns /= n as f64);
        Ok(timings)
    }

    /// The cost of each dispatch that [`Trainer::profile_step`] times, in the same order.
    pub fn step_costs(&self) -> Vec<Cost> {
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        costs(&self.backend.fused(match self.config.train.accumulation_steps {
            1 => transformer.training_step(),
            _ => transformer.accumulated_batch(),
        }))
    }
}
