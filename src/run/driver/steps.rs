//! Training in chunks of steps.

use super::observer::{Observer, Steps, Work};
use super::{CHUNK_SECONDS, Driver};
use crate::train::trainer::{MAX_STEPS_AT_ONCE, TrainError};

/// Steps that are much shorter than this are submitted several at a time. The page's frames wait in the same queue, so this is
/// half a frame interval.
const SUBMIT_SECONDS: f64 = 0.008;

impl Driver {
    /// Submits the next chunk, then collects the previous one, so that the device is never idle.
    pub(super) async fn train_chunk<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        let was_idle = self.trainer.in_flight() == 0;
        let n_steps = self.meter.chunk(CHUNK_SECONDS, MAX_STEPS_AT_ONCE);
        self.submit(n_steps as u64);
        if was_idle && !self.rules.evaluation_due(self.trainer.step()) {
            // The device was idle; one additional step keeps it busy once these are done.
            self.submit(1);
        }
        self.collect(observer).await?;
        let per_submission = self.meter.submission(SUBMIT_SECONDS, MAX_STEPS_AT_ONCE);
        self.trainer.set_steps_per_submit(per_submission);
        if let Some(seconds) = self.meter.seconds_per_step() {
            self.trainer.limit_submissions(Some(seconds));
        }
        if self.rules.steps_ahead(self.trainer.step(), self.trainer.config().tokens_per_step(), 1) == 0
            || self.rules.evaluation_due(self.trainer.step())
        {
            self.settle(observer).await?;
        }
        Ok(())
    }

    /// Submits at most `wish` steps, fewer if a rule requires it.
    fn submit(&mut self, wish: u64) {
        let tokens_per_step = self.trainer.config().tokens_per_step();
        match self.rules.steps_ahead(self.trainer.step(), tokens_per_step, wish) {
            0 => (),
            n_steps => self.submit_steps(n_steps as usize),
        }
    }

    pub(super) fn submit_steps(&mut self, n_steps: usize) {
        if self.trainer.in_flight() == 0 {
            self.busy_since = self.now();
        }
        self.trainer.submit(n_steps);
    }

    /// Waits for the oldest submission. The time since the previous collection, or since the submission to an idle device,
    /// counts as training.
    pub(super) async fn collect<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        observer.before(Work::Train, self.steps_done);
        let collected = self.trainer.collect().await;
        let now = self.now();
        let (before, took) = (self.seconds, (now - self.busy_since).max(0.0));
        self.busy_since = now;
        self.seconds += took;
        let mut points = collected?;
        let n = points.len().max(1) as f64;
        for (i, point) in (1..).zip(&mut points) {
            point.seconds = before + took * f64::from(i) / n;
        }
        self.meter.add(points.len(), points.len() * self.trainer.config().tokens_per_step(), took);
        self.steps_done = points.last().map_or(self.steps_done, |point| point.step);
        self.history.extend(&points, &[]);
        let tokens_per_s = self.meter.tokens_per_second();
        observer.steps(Steps { points: &points, seconds: self.seconds, tokens_per_s });
        Ok(())
    }

    /// Waits for all steps in flight.
    ///
    /// # Errors
    /// If the device failed or the run diverged.
    pub async fn settle<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        while self.trainer.in_flight() > 0 {
            self.collect(observer).await?;
        }
        Ok(())
    }
}
