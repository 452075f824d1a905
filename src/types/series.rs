//! Several runs of one specification with different seeds, as one series.

use serde::{Deserialize, Serialize};

use super::{History, StepPoint, ValidationPoint};

/// The losses of several runs after the same number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Steps done.
    pub step: u64,
    /// Number of runs that have a loss at this step.
    pub n: usize,
    /// Mean loss, in nats per token.
    pub mean: f64,
    /// The lowest loss.
    pub min: f32,
    /// The highest loss.
    pub max: f32,
}

/// Losses of several runs by step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Training losses.
    pub training: Vec<Band>,
    /// Held-out losses.
    pub validation: Vec<Band>,
}

impl Series {
    /// Combines the histories of runs. A step that some of them have not reached, or have thinned, has the band of the others.
    pub fn new(histories: &[History]) -> Self {
        let training =
            |history: &History| history.points.iter().map(|&StepPoint { step, loss, .. }| (step, loss)).collect();
        let validation =
            |history: &History| history.validation.iter().map(|&ValidationPoint { step, loss }| (step, loss)).collect();
        Self {
            training: bands(histories.iter().map(training).collect()),
            validation: bands(histories.iter().map(validation).collect()),
        }
    }
}

fn bands(runs: Vec<Vec<(u64, f32)>>) -> Vec<Band> {
    let mut losses: Vec<(u64, f32)> = runs.concat();
    // Stable: the losses of one step are added up in the order of the runs.
    losses.sort_by_key(|&(step, _)| step);
    let band = |at: &[(u64, f32)]| {
        let sum: f64 = at.iter().map(|&(_, loss)| f64::from(loss)).sum();
        let (min, max) =
            at.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), &(_, loss)| (min.min(loss), max.max(loss)));
        Band { step: at[0].0, n: at.len(), mean: sum / at.len() as f64, min, max }
    };
    losses.chunk_by(|a, b| a.0 == b.0).map(band).collect()
}
