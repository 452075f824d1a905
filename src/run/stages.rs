//! Drives a run whose schedule may end several times: with the WSD schedule, each decay starts from the same constant phase.
//! The command line's sweeps and the page's queue use it.

use super::{Driver, Observer};
use crate::config::rules::Rules;
use crate::train::trainer::{TrainError, TrainingState};
use crate::types::History;
use crate::types::queue::{Progress, QueueEnd, Reached, branch};

/// The constant phase at the step at which a decay begins, to return to.
struct Trunk {
    state: TrainingState,
    history: History,
    seconds: f64,
}

/// A run between its ends.
pub struct StagedRun {
    /// The driver; its policy is an unattended one.
    pub driver: Driver,
    ends: Vec<u64>,
    evaluate_every: Option<u64>,
    /// What has been reached.
    pub progress: Progress,
    /// During a decay from which the run returns.
    trunk: Option<Trunk>,
}

impl StagedRun {
    /// A run from the driver's present step on. The driver has the run's configuration, and is resumed if there is a checkpoint.
    pub fn new(driver: Driver, ends: Vec<u64>, evaluate_every: Option<u64>, mut progress: Progress) -> Self {
        progress.reached.truncate(ends.len());
        Self { driver, ends, evaluate_every, progress, trunk: None }
    }

    /// Whether a checkpoint of the present state continues the run: in a decay from which the run returns, it does not.
    pub fn can_be_saved(&self) -> bool {
        self.trunk.is_none()
    }

    /// Does one short unit of work; returns how the run ended, if it has. Snapshots are reported to `observer` only from states
    /// that continue the run.
    ///
    /// # Errors
    /// If the device failed. Divergence is an end.
    pub async fn work<O: Observer>(&mut self, observer: &mut O) -> Result<Option<QueueEnd>, TrainError> {
        let began = self.driver.now();
        let worked = self.work_on_stage(observer).await;
        self.progress.seconds += (self.driver.now() - began).max(0.0);
        match worked {
            Err(TrainError::Diverged { .. }) => Ok(Some(QueueEnd::Diverged)),
            other => other,
        }
    }

    async fn work_on_stage<O: Observer>(&mut self, observer: &mut O) -> Result<Option<QueueEnd>, TrainError> {
        let Some(&end) = self.ends.get(self.progress.reached.len()) else { return Ok(Some(QueueEnd::Done)) };
        if !self.driver.is_training() {
            self.begin_stage(end, observer).await?;
        }
        match self.trunk {
            Some(_) => self.driver.work(&mut WithoutSnapshots(observer)).await?,
            None => self.driver.work(observer).await?,
        };
        if self.driver.is_training() {
            return Ok(None);
        }
        // At the end of the constant phase, the next unit of work begins the decay.
        if self.driver.steps_done() < end { Ok(None) } else { self.reach(end, observer).await }
    }

    /// Trains to the end of the constant phase, or to the end of the schedule.
    async fn begin_stage<O: Observer>(&mut self, end: u64, observer: &mut O) -> Result<(), TrainError> {
        let config = self.driver.config();
        let leave = branch(&config, &self.ends, end);
        if self.trunk.is_none() && self.driver.steps_done() == leave && leave < end {
            let (history, seconds) = (self.driver.history().clone(), self.driver.seconds());
            self.trunk = Some(Trunk { state: self.driver.trainer.state().await?, history, seconds });
        }
        let mut train = config.train;
        train.schedule_steps = end;
        // The settings were validated with the run.
        let _ = self.driver.tune(&train);
        let stop = if self.trunk.is_none() && self.driver.steps_done() < leave { leave } else { end };
        let rules = Rules { stop_steps: Some(stop), evaluate_every: self.evaluate_every, ..Rules::default() };
        self.driver.set_rules(rules);
        self.driver.train(observer);
        Ok(())
    }

    async fn reach<O: Observer>(&mut self, end: u64, observer: &mut O) -> Result<Option<QueueEnd>, TrainError> {
        let loss = self.driver.val_loss().map_or(f64::NAN, f64::from);
        // A model that is worse than a uniform guess has learned nothing that fits a law.
        let uniform = (self.driver.config().model.vocab_size as f64).ln();
        if !loss.is_finite() || loss > uniform {
            return Ok(Some(QueueEnd::Diverged));
        }
        self.progress.reached.push(Reached { step: end, loss });
        if self.progress.reached.len() == self.ends.len() {
            // The final state after a decay, whose snapshots were not reported.
            if self.trunk.take().is_some() {
                self.driver.save(observer).await?;
            }
            return Ok(Some(QueueEnd::Done));
        }
        if let Some(Trunk { state, history, seconds }) = self.trunk.take() {
            let train = self.driver.config().train;
            let step = state.step;
            self.driver.resume(state, history, seconds);
            observer.went_back(step, &train);
            self.driver.save(observer).await?;
        }
        Ok(None)
    }
}

/// Forwards everything but snapshots.
struct WithoutSnapshots<'a, O>(&'a mut O);

impl<O: Observer> Observer for WithoutSnapshots<'_, O> {
    fn before(&mut self, work: super::Work, step: u64) {
        self.0.before(work, step);
    }

    fn steps(&mut self, steps: super::Steps<'_>) {
        self.0.steps(steps);
    }

    fn evaluated(&mut self, evaluation: super::Evaluation) {
        self.0.evaluated(evaluation);
    }

    fn notice(&mut self, message: &str) {
        self.0.notice(message);
    }

    fn warn(&mut self, message: &str) {
        self.0.warn(message);
    }
}
