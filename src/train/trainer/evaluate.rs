//! Losses on held-out tokens.

use super::{TrainError, Trainer};
use crate::data::evaluation_starts;
use crate::gpu::backend::Program;
use crate::model::memory::RING;
use crate::ops::step::Step;

impl Trainer {
    /// The mean loss over `n_batches` batches spread evenly over the held-out tokens.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn evaluate(&mut self, n_batches: usize) -> Result<f32, TrainError> {
        let n = self.submit_evaluation(self.evaluation, n_batches)?;
        self.readable()?;
        let losses = self.backend.read_f32(self.plan.loss_ring).await?;
        Ok(losses[..n].iter().sum::<f32>() / n as f32)
    }

    /// Gives a program its memory.
    ///
    /// # Errors
    /// When there is not enough, with what to lower.
    pub(super) fn make_room(&self, program: Program) -> Result<(), TrainError> {
        self.backend.make_room(program).map_err(|error| TrainError::from(error).advised(&self.config))
    }

    /// Runs `program` on held-out batches, whose losses then begin the ring; how many there are.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn submit_evaluation(&mut self, program: Program, n_batches: usize) -> Result<usize, TrainError> {
        self.make_room(program)?;
        let model = &self.config.model;
        let batch_size = self.config.train.batch_size;
        let n_val = self.source.n_val();
        let all = evaluation_starts(n_val, model.context_length, batch_size, n_batches.min(RING));
        for (slot, starts) in (0u64..).zip(&all) {
            let step = Step { slot: slot as u32, ..self.step_values(1) };
            let mut writes = self.place(starts, self.source.n_train(), self.plan.val_tokens);
            writes.push((self.plan.step, bytemuck::cast_slice(&[step]).to_vec()));
            self.backend.run_all(&[(program, writes)]);
        }
        Ok(all.len())
    }
}
