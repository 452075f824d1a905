//! Losses on held-out tokens: always on [`EVALUATION_TOKENS`] of them, independent of the batch size.

use super::{TrainError, Trainer};
use crate::config::EVALUATION_TOKENS;
use crate::data::evaluation_starts;
use crate::gpu::backend::{PendingRead, Program};
use crate::model::memory::RING;
use crate::ops::step::Step;

/// Identifies a state of the weights: changes with every step and every edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightsVersion {
    step: u64,
    edits: u64,
}

/// An evaluation whose losses are still being read.
pub(super) struct PendingLoss {
    /// Pending reads of the mean losses of complete batches, each with its number of batches.
    batches: Vec<(PendingRead, usize)>,
    /// Losses of the tokens of the last batch, and how many of them count, from the first on.
    rest: Option<(PendingRead, usize)>,
    /// Number of tokens in a complete batch.
    batch_tokens: usize,
}

impl Trainer {
    /// The mean loss over [`EVALUATION_TOKENS`] held-out tokens, in windows evenly spaced over all of them.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn evaluate(&mut self) -> Result<f32, TrainError> {
        let pending = self.submit_evaluation(self.evaluation)?;
        self.readable()?;
        self.finish_evaluation(pending).await
    }

    /// The version of the current weights.
    pub fn weights_version(&self) -> WeightsVersion {
        WeightsVersion { step: self.steps_submitted, edits: self.edits }
    }

    /// Allocates a program's memory.
    ///
    /// # Errors
    /// If there is not enough, with the setting to lower.
    pub(super) fn make_room(&self, program: Program) -> Result<(), TrainError> {
        self.backend.make_room(program).map_err(|error| TrainError::from(error).advised(&self.config))
    }

    /// Runs `program` on the held-out windows and starts reading their losses. The last batch is padded with windows that do
    /// not count.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(super) fn submit_evaluation(&mut self, program: Program) -> Result<PendingLoss, TrainError> {
        self.make_room(program)?;
        let (window, batch_size) = (self.config.model.context_length, self.config.train.batch_size);
        let batch_tokens = batch_size * window;
        let starts = evaluation_starts(self.source.n_val(), window, EVALUATION_TOKENS.div_ceil(window));
        let (n_whole, n_rest) = (EVALUATION_TOKENS / batch_tokens, EVALUATION_TOKENS % batch_tokens);
        let batches: Vec<&[u32]> = starts.chunks(batch_size).collect();
        let mut pending = PendingLoss { batches: Vec::new(), rest: None, batch_tokens };
        for batches in batches[..n_whole].chunks(RING) {
            batches.iter().enumerate().for_each(|(slot, starts)| self.run_evaluation(program, slot, starts));
            let read = self.backend.start_read(&[self.plan.loss_ring.part(0, batches.len())]);
            pending.batches.push((read, batches.len()));
        }
        if let Some(starts) = batches.get(n_whole) {
            let mut filled = starts.to_vec();
            filled.resize(batch_size, starts[0]);
            self.run_evaluation(program, 0, &filled);
            pending.rest = Some((self.backend.start_read(&[self.plan.losses.part(0, n_rest)]), n_rest));
        }
        Ok(pending)
    }

    fn run_evaluation(&mut self, program: Program, slot: usize, starts: &[u32]) {
        let step = Step { slot: slot as u32, ..self.step_values(1) };
        let mut writes = self.place(starts, self.source.n_train(), self.plan.val_tokens);
        writes.push((self.plan.step, bytemuck::cast_slice(&[step]).to_vec()));
        self.backend.run_all(&[(program, writes)]);
    }

    /// Waits for the losses of an evaluation.
    pub(super) async fn finish_evaluation(&mut self, pending: PendingLoss) -> Result<f32, TrainError> {
        let mut sum = 0.0;
        for (read, n) in pending.batches {
            let means = self.backend.finish_read(read).await?;
            sum += pending.batch_tokens as f64 * total(&means[..n]);
        }
        if let Some((read, n)) = pending.rest {
            sum += total(&self.backend.finish_read(read).await?[..n]);
        }
        Ok((sum / EVALUATION_TOKENS as f64) as f32)
    }
}

fn total(words: &[u32]) -> f64 {
    words.iter().map(|&word| f64::from(f32::from_bits(word))).sum()
}
