//! Transfers weights, gradients and moments between the device and memory.

use std::borrow::Cow;

use super::{BATCH_STREAM, TrainError, Trainer};
use crate::gpu::recording::Slice;
use crate::rng::Rng;

/// Everything that further steps depend on, besides configuration and data.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// Steps done.
    pub step: u64,
    /// Random generator of the next batches.
    pub batches: Rng,
    /// Parameters, in the order of the parameter table.
    pub params: Vec<f32>,
    /// AdamW's first moments, in the order of the parameter table. Empty if all are 0.
    pub adam_m: Vec<f32>,
    /// AdamW's second moments, in the order of the parameter table. Empty if all are 0.
    pub adam_v: Vec<f32>,
}

impl TrainingState {
    /// The state of a model that starts with `params`, in the order of the parameter table: zero moments, first batches. The
    /// moments are left empty, because zeros for a large model would take twice its memory.
    pub fn of(params: Vec<f32>, seed: u64) -> Self {
        let batches = Rng::with_stream(seed, BATCH_STREAM);
        Self { step: 0, batches, params, adam_m: Vec::new(), adam_v: Vec::new() }
    }

    /// The moments, with zeros if they are empty.
    pub fn moments<'a>(&self, of: &'a [f32]) -> Cow<'a, [f32]> {
        if of.is_empty() { vec![0.0; self.params.len()].into() } else { of.into() }
    }
}

impl Trainer {
    /// The state after all steps submitted so far.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn state(&mut self) -> Result<TrainingState, TrainError> {
        let params = self.params().await?;
        if self.steps_submitted == 0 {
            return Ok(TrainingState { batches: self.batches.clone(), ..TrainingState::of(params, 0) });
        }
        let adam_m = self.backend.read_f32(self.plan.adam_m).await?;
        let adam_v = self.backend.read_f32(self.plan.adam_v).await?;
        Ok(TrainingState { step: self.steps_submitted, batches: self.batches.clone(), params, adam_m, adam_v })
    }

    /// The state of a run that has not started: initial weights, empty moments, first batches.
    pub fn fresh_state(&self) -> TrainingState {
        let seed = self.config.train.seed;
        TrainingState::of(self.table.initial_values(seed), seed)
    }

    /// Restores `state`, which must come from a trainer of the same model. Submissions in flight are dropped.
    pub fn restore(&mut self, state: &TrainingState) {
        self.backend.write_f32(self.plan.params, &state.params);
        self.write_moments(self.plan.adam_m, &state.adam_m);
        self.write_moments(self.plan.adam_v, &state.adam_v);
        self.batches = state.batches.clone();
        self.steps_submitted = state.step;
        self.edits += 1;
        self.cached.clear();
        self.in_flight.clear();
        self.release();
    }

    fn write_moments(&self, slice: Slice, moments: &[f32]) {
        if moments.is_empty() { self.backend.clear(slice) } else { self.backend.write_f32(slice, moments) }
    }

    /// All parameters, in the order of the parameter table.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn params(&mut self) -> Result<Vec<f32>, TrainError> {
        self.catch_up().await?;
        Ok(self.backend.read_f32(self.plan.params).await?)
    }

    /// All gradients of the latest step before clipping, in the order of the parameter table.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn grads(&mut self) -> Result<Vec<f32>, TrainError> {
        self.catch_up().await?;
        Ok(self.backend.read_f32(self.plan.step_grads).await?)
    }

    /// Replaces all parameters; `values` are in the order of the parameter table.
    pub fn set_params(&mut self, values: &[f32]) {
        self.edits += 1;
        self.cached.clear();
        self.backend.write_f32(self.plan.params, values);
    }
}
