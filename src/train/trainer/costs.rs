//! What a training step costs, dispatch by dispatch.

use super::{StepPrograms, TrainError, Trainer};
use crate::gpu::clock::now_ns;
use crate::gpu::profile::Timing;
use crate::model::transformer::Transformer;
use crate::ops::cost::{Cost, costs};

/// A profile is the mean of so many replays: timestamps that browsers round down are right on average only.
const REPLAYS: usize = 20;

/// Slow devices, whose timestamps need no mean, are replayed for about so long.
const REPLAY_NS: f64 = 3e8;

impl Trainer {
    /// Trains some steps more and reports how long each dispatch takes on average.
    ///
    /// # Errors
    /// When a GPU has no timestamp queries, was lost, or refused a command.
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

    /// What each dispatch costs that [`Trainer::profile_step`] times, in the same order.
    pub fn step_costs(&self) -> Vec<Cost> {
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        costs(&match self.config.train.accumulation_steps {
            1 => transformer.training_step(),
            _ => transformer.accumulated_batch(),
        })
    }
}
