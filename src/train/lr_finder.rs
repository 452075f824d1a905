//! The search for a learning rate (Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3):
//! a short run from fresh weights in which the learning rate grows exponentially, until the loss explodes.

use crate::config::{Schedule, TrainConfig};
use crate::train::trainer::{TrainError, Trainer, TrainingState};
use crate::types::runs::LrPoint;

/// Maximum number of steps of a search.
pub const STEPS: usize = 100;

/// The first and the last learning rate.
const RANGE: [f64; 2] = [1e-6, 1.0];

/// Smoothing factor: the weight of the previous smoothed loss.
const KEEP: f32 = 0.9;

/// The search ends once the smoothed loss exceeds its minimum by this many nats.
const EXPLODED: f32 = 1.0;

/// The suggestion is the learning rate of the lowest smoothed loss divided by this.
pub const MARGIN: f64 = 10.0;

/// The learning rate of step `i` of [`STEPS`].
pub fn rate(i: usize) -> f64 {
    let [first, last] = RANGE;
    first * (last / first).powf(i as f64 / (STEPS - 1) as f64)
}

/// The curve of the search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sweep {
    points: Vec<LrPoint>,
    sum: f32,
    weight: f32,
}

impl Sweep {
    /// Appends the loss of the next step.
    pub fn add(&mut self, loss: f32) -> LrPoint {
        self.sum = KEEP * self.sum + loss;
        self.weight = KEEP * self.weight + 1.0;
        let point = LrPoint { lr: rate(self.points.len()), loss, smoothed: self.sum / self.weight };
        self.points.push(point);
        point
    }

    /// Whether the search is complete.
    pub fn over(&self) -> bool {
        let lowest = self.points.iter().map(|point| point.smoothed).fold(f32::INFINITY, f32::min);
        let exploded = self.points.last().is_some_and(|point| point.smoothed > lowest + EXPLODED);
        self.points.len() >= STEPS || exploded
    }

    /// The learning rate of the lowest smoothed loss divided by [`MARGIN`]: the loss still decreases there, at a safe distance
    /// from its minimum. `None` until the loss has decreased by 0.1 nats.
    pub fn suggestion(&self) -> Option<f64> {
        let lowest = self.points.iter().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed))?;
        let fallen = self.points.first()?.smoothed - lowest.smoothed;
        (fallen > 0.1).then(|| rounded(lowest.lr / MARGIN))
    }
}

/// Rounds to two significant digits, because one noisy curve does not justify more precision.
fn rounded(lr: f64) -> f64 {
    format!("{lr:.1e}").parse().unwrap_or(lr)
}

/// A search in progress on a run's trainer. It must be ended with [`Search::finish`].
pub struct Search {
    sweep: Sweep,
    before: TrainingState,
    train: TrainConfig,
}

impl Search {
    /// Saves the run's state and starts with fresh weights. No submissions may be in flight.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn begin(trainer: &mut Trainer) -> Result<Self, TrainError> {
        let before = trainer.state().await?;
        let train = trainer.config().train.clone();
        trainer.restore(&trainer.fresh_state());
        Ok(Self { sweep: Sweep::default(), before, train })
    }

    /// The saved state of the run.
    pub fn before(&self) -> &TrainingState {
        &self.before
    }

    /// The run's training settings.
    pub fn train(&self) -> &TrainConfig {
        &self.train
    }

    /// Trains one step at the next learning rate; `None` when the search is complete.
    ///
    /// # Errors
    /// If the device failed. Divergence is not an error: it ends the search.
    pub async fn step(&mut self, trainer: &mut Trainer) -> Result<Option<LrPoint>, TrainError> {
        if self.sweep.over() {
            return Ok(None);
        }
        trainer.tune(&constant(&self.train, rate(self.sweep.points.len())))?;
        trainer.submit(1);
        match trainer.collect().await {
            Ok(points) => Ok(points.first().map(|point| self.sweep.add(point.loss))),
            Err(TrainError::Diverged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Restores the run and returns the suggestion.
    ///
    /// # Errors
    /// Never for a configuration that was valid before.
    pub fn finish(self, trainer: &mut Trainer) -> Result<Option<f64>, TrainError> {
        trainer.tune(&self.train)?;
        trainer.restore(&self.before);
        Ok(self.sweep.suggestion())
    }

    /// Applies new training settings to the saved run.
    pub fn tune(&mut self, train: &TrainConfig) {
        self.train = self.train.with_live_of(train);
    }
}

/// The training settings with a constant learning rate.
fn constant(train: &TrainConfig, lr: f64) -> TrainConfig {
    TrainConfig { max_lr: lr, min_lr: lr, warmup_steps: 0, schedule: Schedule::Constant, ..train.clone() }
}
