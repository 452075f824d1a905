//! The loop of a stage, one unit of work at a time.

use super::super::SharedClock;
use crate::train::align::{AlignRun, Evaluation, RunError, StepReport};
use crate::train::trainer::{Trainer, TrainingState};

/// The smallest number of prompts of the evaluation after the last update.
const LAST_PROMPTS: usize = 500;

/// When a stage evaluates and ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Total number of updates.
    pub steps: u64,
    /// The share of held-out prompts, from 0 to 1, at which the stage ends.
    pub stop_exact: Option<f64>,
    /// Updates between evaluations.
    pub evaluate_every: u64,
    /// Number of held-out prompts of an evaluation.
    pub prompts: usize,
    /// Whether the evaluation after the last update takes at least 500 prompts.
    pub thorough_end: bool,
}

/// Training time, without evaluations, since the driver was created.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Seconds.
    pub seconds: f64,
    /// Updates per second.
    pub updates_per_s: f64,
}

/// Receives what a stage has done.
pub trait StageObserver {
    /// An update was made.
    fn updated(&mut self, report: StepReport, pace: Pace);
    /// The model after `step` updates was evaluated on held-out prompts.
    fn evaluated(&mut self, step: u64, evaluation: &Evaluation);
}

/// Why a stage has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WhyEnded {
    /// All updates are done.
    Steps(u64),
    /// This share of the held-out prompts is right.
    Exact(f64),
}

/// Drives a stage.
pub struct StageDriver {
    /// The run.
    pub run: AlignRun,
    /// The model.
    pub trainer: Trainer,
    schedule: Schedule,
    clock: SharedClock,
    /// Whether the model has to be evaluated before the next update.
    evaluate_next: bool,
    /// Whether enough held-out prompts are right.
    reached: bool,
    seconds: f64,
    first_step: u64,
}

impl StageDriver {
    /// A stage whose trainer has been restored to its beginning, which is then evaluated first, or to a later state.
    pub fn new(run: AlignRun, trainer: Trainer, schedule: Schedule, clock: SharedClock, resumed: bool) -> Self {
        let first_step = trainer.step();
        Self { run, trainer, schedule, clock, evaluate_next: !resumed, reached: false, seconds: 0.0, first_step }
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        self.trainer.step()
    }

    /// Whether the state can be saved: everything that further updates depend on is in it.
    pub fn at_boundary(&self) -> bool {
        self.run.at_boundary()
    }

    /// Why the stage has ended; `None` before that.
    pub fn ended(&self) -> Option<WhyEnded> {
        if self.evaluate_next || !self.at_boundary() {
            return None;
        }
        match self.schedule.stop_exact.filter(|_| self.reached) {
            Some(share) => Some(WhyEnded::Exact(share)),
            None => (self.step() >= self.schedule.steps).then_some(WhyEnded::Steps(self.step())),
        }
    }

    /// Changes when the stage evaluates and ends.
    pub fn set_schedule(&mut self, schedule: Schedule) {
        (self.schedule, self.reached) = (schedule, false);
    }

    /// Does one evaluation or one update, and returns whether there is more to do. After an error the trainer is in the state
    /// before the update, unless the device failed.
    ///
    /// # Errors
    /// If the device failed, an update diverged, or there is nothing to learn from.
    pub async fn work(&mut self, observer: &mut impl StageObserver) -> Result<bool, RunError> {
        if self.ended().is_some() {
            return Ok(false);
        }
        if self.evaluate_next {
            self.evaluate(observer).await?;
        } else {
            self.update(observer).await?;
        }
        Ok(self.ended().is_none())
    }

    async fn update(&mut self, observer: &mut impl StageObserver) -> Result<(), RunError> {
        let began = self.clock.now();
        // What is left of a batch of samples after the end is used up, so that the saved run can be continued.
        let over = self.reached || self.step() >= self.schedule.steps;
        let report = self.run.step(&mut self.trainer).await?;
        self.seconds += self.clock.now() - began;
        let step = self.step();
        let updates_per_s = (step - self.first_step) as f64 / self.seconds.max(1e-9);
        observer.updated(report, Pace { seconds: self.seconds, updates_per_s });
        let due = step.is_multiple_of(self.schedule.evaluate_every.max(1)) || step == self.schedule.steps;
        self.evaluate_next = due && !over;
        Ok(())
    }

    async fn evaluate(&mut self, observer: &mut impl StageObserver) -> Result<(), RunError> {
        let step = self.step();
        let last = step >= self.schedule.steps && self.schedule.thorough_end;
        let n = if last { self.schedule.prompts.max(LAST_PROMPTS) } else { self.schedule.prompts };
        let evaluation = self.run.evaluate(&mut self.trainer, n).await?;
        (self.evaluate_next, self.reached) =
            (false, self.schedule.stop_exact.is_some_and(|share| evaluation.sampled >= share));
        observer.evaluated(step, &evaluation);
        Ok(())
    }

    /// Restores a state in which the stage could be saved; later updates are made again.
    pub fn rewind(&mut self, state: &TrainingState) {
        self.trainer.restore(state);
        self.run.forget_samples();
        (self.evaluate_next, self.reached) = (false, false);
    }
}
