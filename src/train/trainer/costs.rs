//! Times and costs of a training step, by dispatch.

use super::{StepPrograms, TrainError, Trainer};
use crate::gpu::clock::now_ns;
use crate::gpu::profile::{TimedRun, Timing};
use crate::gpu::recording::Recording;
use crate::model::transformer::Transformer;
use crate::model::work;
use crate::ops::cost::{Cost, costs};
use crate::systems::memory::MemoryTimeline;
use crate::systems::trace::Work;

/// Number of replays averaged by a profile: timestamps that a browser rounds down are correct only on average.
const REPLAYS: usize = 20;

/// Maximum duration of the replays; slow devices do not need an average.
const REPLAY_NS: f64 = 6e8;

/// The times of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTimes {
    /// The profiled step: means over the faster half of the replays.
    pub run: TimedRun,
    /// Nanoseconds of the same step without profiling, submitted and awaited: a mean of the same kind.
    pub plain_ns: f64,
}

impl Trainer {
    /// Runs additional training steps, with and without profiling in turn. Batches are not shared with other workers meanwhile.
    ///
    /// # Errors
    /// If a GPU has no timestamp queries, was lost, or rejected a command, or if the run diverged.
    pub async fn time_step(&mut self) -> Result<StepTimes, TrainError> {
        let sharing = self.sharing.take();
        let times = self.time_replays().await;
        self.sharing = sharing;
        times
    }

    async fn time_replays(&mut self) -> Result<StepTimes, TrainError> {
        self.submit(1);
        self.collect().await?;
        let (began, mut plain, mut runs) = (now_ns(), Vec::new(), Vec::new());
        while runs.is_empty() || runs.len() < REPLAYS && now_ns() - began < REPLAY_NS {
            let start = now_ns();
            self.submit(1);
            self.collect().await?;
            plain.push(now_ns() - start);
            runs.push(self.timed_step().await?);
        }
        plain.sort_by(f64::total_cmp);
        plain.truncate(plain.len().div_ceil(2));
        let plain_ns = plain.iter().sum::<f64>() / plain.len() as f64;
        Ok(StepTimes { run: mean(runs), plain_ns })
    }

    /// All programs of one step, timed.
    async fn timed_step(&mut self) -> Result<TimedRun, TrainError> {
        match self.step_programs {
            StepPrograms::Whole(program) => Ok(self.backend.timed_run(program).await?),
            StepPrograms::Accumulated { batch, update } => {
                let mut whole = TimedRun { timings: Vec::new(), submit_ns: 0.0, wall_ns: 0.0 };
                for at in 0..=self.config.train.accumulation_steps {
                    let last = at == self.config.train.accumulation_steps;
                    let run = self.backend.timed_run(if last { update } else { batch }).await?;
                    let shifted = |timing: Timing| Timing { start_ns: timing.start_ns + whole.wall_ns, ..timing };
                    whole.timings.extend(run.timings.into_iter().map(shifted).collect::<Vec<_>>());
                    whole.submit_ns += run.submit_ns;
                    whole.wall_ns += run.wall_ns;
                }
                Ok(whole)
            }
        }
    }

    /// The recordings of one step in order.
    fn step_recordings(&self) -> Vec<Recording> {
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        match self.config.train.accumulation_steps {
            1 => vec![transformer.training_step()],
            n => {
                let batches = (0..n).map(|_| transformer.accumulated_batch());
                batches.chain([transformer.update()]).collect()
            }
        }
    }

    /// What each dispatch of [`Trainer::time_step`] does, in the same order.
    pub fn step_work(&self) -> Vec<Work> {
        let recordings = self.step_recordings();
        recordings.iter().flat_map(|recording| work::of(recording, &self.plan.buffers, &self.table)).collect()
    }

    /// The memory in use over the dispatches of a step.
    pub fn memory_timeline(&self) -> MemoryTimeline {
        work::memory(&self.step_recordings(), &self.plan.buffers, &self.table, &self.backend)
    }

    /// The cost of each dispatch of a batch.
    pub fn step_costs(&self) -> Vec<Cost> {
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        costs(&self.backend.fused(match self.config.train.accumulation_steps {
            1 => transformer.training_step(),
            _ => transformer.accumulated_batch(),
        }))
    }
}

/// The mean of the faster half of some runs of the same programs: timestamps that a browser rounds are correct only on average,
/// and other programs can only slow a run down.
fn mean(mut runs: Vec<TimedRun>) -> TimedRun {
    runs.sort_by(|a, b| a.wall_ns.total_cmp(&b.wall_ns));
    runs.truncate(runs.len().div_ceil(2));
    let n = runs.len() as f64;
    let of = |value: fn(&TimedRun) -> f64| runs.iter().map(value).sum::<f64>() / n;
    let timing = |at: usize| {
        let of = |value: fn(&Timing) -> f64| runs.iter().map(|run| value(&run.timings[at])).sum::<f64>() / n;
        Timing {
            kernel: runs[0].timings[at].kernel,
            start_ns: of(|timing| timing.start_ns),
            ns: of(|timing| timing.ns),
        }
    };
    let timings = (0..runs[0].timings.len()).map(timing).collect();
    TimedRun { timings, submit_ns: of(|run| run.submit_ns), wall_ns: of(|run| run.wall_ns) }
}
