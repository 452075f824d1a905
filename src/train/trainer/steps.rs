//! Training steps: submitted in advance, and collected later.

use super::{Chunk, StepPrograms, TrainError, Trainer};
use crate::config::{TrainConfig, learning_rate};
use crate::data::batch_starts;
use crate::gpu::backend::Writes;
use crate::model::memory::RING;
use crate::ops::step::Step;
use crate::rng::Rng;
use crate::types::StepPoint;

/// Maximum number of steps per submission: concurrent reads of the rings never overlap.
pub const MAX_STEPS_AT_ONCE: usize = RING / 4;

impl Trainer {
    /// Submits `n_steps` training steps (at most [`MAX_STEPS_AT_ONCE`]) and starts reading their losses.
    pub fn submit(&mut self, n_steps: usize) {
        let batches = self.batches.clone();
        let starts = (0..n_steps.min(MAX_STEPS_AT_ONCE)).map(|_| self.draw()).collect();
        self.submit_on(starts, batches);
    }

    /// Draws the start positions of the next step's sequences.
    pub(super) fn draw(&mut self) -> Vec<u32> {
        let sequences = self.config.train.batch_size * self.config.train.accumulation_steps;
        batch_starts(&mut self.batches, self.source.n_train(), self.config.model.context_length, sequences)
    }

    /// Submits a step for each of `starts`, drawn by `batches`, or plans it if batches are shared.
    pub(super) fn submit_on(&mut self, starts: Vec<Vec<u32>>, batches: Rng) {
        let first_step = self.steps_submitted + 1;
        let (StepPrograms::Whole(program) | StepPrograms::Accumulated { update: program, .. }) = self.step_programs;
        if let Err(error) = self.make_room(program) {
            self.batches = batches;
            self.unreadable = Some(error);
            return;
        }
        self.steps_submitted += starts.len() as u64;
        let chunk = if self.plans_ahead() {
            Chunk::Planned { first_step, starts, batches }
        } else {
            let mut lrs = Vec::with_capacity(starts.len());
            for steps in starts.chunks(self.steps_per_submit) {
                lrs.extend(self.run_steps(first_step + lrs.len() as u64, steps));
            }
            let rings = self.backend.start_read(&[self.plan.loss_ring, self.plan.norm_ring]);
            Chunk::Submitted { first_step, starts, batches, lrs, rings }
        };
        self.in_flight.push_back(chunk);
    }

    /// Submits steps to the device, each on the sequences that start at its positions in the training tokens, B for each
    /// accumulated batch; returns their learning rates.
    pub(super) fn run_steps(&mut self, first_step: u64, starts: &[Vec<u32>]) -> Vec<f32> {
        self.cached.clear();
        let weight = 1.0 / self.config.train.accumulation_steps as f32;
        let (mut jobs, mut lrs) = (Vec::new(), Vec::with_capacity(starts.len()));
        for (step, starts) in (first_step..).zip(starts) {
            let step = self.step_values(step);
            for (batch, starts) in starts.chunks(self.config.train.batch_size).enumerate() {
                let step = Step { weight, first: u32::from(batch == 0), ..step };
                let mut writes = self.place(starts, 0, self.plan.train_tokens);
                writes.push((self.plan.step, bytemuck::cast_slice(&[step]).to_vec()));
                let (StepPrograms::Whole(program) | StepPrograms::Accumulated { batch: program, .. }) =
                    self.step_programs;
                jobs.push((program, writes));
            }
            if let StepPrograms::Accumulated { update, .. } = self.step_programs {
                jobs.push((update, Writes::new()));
            }
            lrs.push(step.lr);
        }
        self.backend.run_all(&jobs);
        lrs
    }

    pub(super) fn step_values(&self, step: u64) -> Step {
        step_values(&self.config.train, step)
    }

    /// Waits for the oldest submission and returns its steps; empty if nothing is in flight.
    ///
    /// # Errors
    /// If the device failed, or a loss or gradient is non-finite. In the latter case neither that step nor any later one was
    /// applied, and the trainer is in the state before it.
    pub async fn collect(&mut self) -> Result<Vec<StepPoint>, TrainError> {
        if let Some(error) = self.unreadable.take() {
            self.in_flight.clear();
            return Err(error);
        }
        match self.in_flight.pop_front() {
            None => Ok(Vec::new()),
            Some(Chunk::Done(points)) => Ok(points),
            Some(Chunk::Planned { first_step, starts, batches }) => {
                let points = self.train_planned(first_step, &starts, &batches).await;
                if points.is_err() {
                    self.in_flight.clear();
                }
                points
            }
            Some(Chunk::Submitted { first_step, starts, batches, lrs, rings }) => {
                let words = self.backend.finish_read(rings).await?;
                let mut points = Vec::with_capacity(lrs.len());
                for (step, lr) in (first_step..).zip(lrs) {
                    let slot = (step % RING as u64) as usize;
                    let (loss, grad_norm) = (f32::from_bits(words[slot]), f32::from_bits(words[RING + slot]));
                    if !loss.is_finite() || !grad_norm.is_finite() {
                        self.in_flight.clear();
                        self.stand_before(step, first_step, starts, batches);
                        return Err(TrainError::Diverged { step, loss, grad_norm });
                    }
                    points.push(StepPoint { step, loss, lr, grad_norm, seconds: 0.0 });
                }
                Ok(points)
            }
        }
    }

    /// Returns the pending error, if tokens could not be read since the last call.
    pub(super) fn readable(&mut self) -> Result<(), TrainError> {
        self.unreadable.take().map_or(Ok(()), Err)
    }

    /// Trains one step on the given sequences, B for each accumulated batch, for comparisons with other implementations.
    ///
    /// # Errors
    /// As [`Trainer::collect`].
    pub async fn step_on(&mut self, starts: &[u32]) -> Result<StepPoint, TrainError> {
        let first_step = self.steps_submitted + 1;
        self.submit_on(vec![starts.to_vec()], self.batches.clone());
        loop {
            if let Some(point) = self.collect().await?.into_iter().find(|point| point.step == first_step) {
                return Ok(point);
            }
        }
    }
}

/// The step-dependent values that the kernels read.
pub(super) fn step_values(train: &TrainConfig, step: u64) -> Step {
    let values = Step {
        lr: learning_rate(step, train) as f32,
        eps: train.adam_eps as f32,
        weight_decay: train.weight_decay as f32,
        max_grad_norm: train.max_grad_norm as f32,
        slot: (step % RING as u64) as u32,
        momentum: train.momentum as f32,
        weight: 1.0,
        first: 1,
        ..bytemuck::Zeroable::zeroed()
    };
    values.with_betas([train.beta1, train.beta2], step as f64)
}
