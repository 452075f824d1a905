//! Steps on rows of tokens with their own lengths, each token with a coefficient, and the log-probabilities of such rows.
//!
//! Rows are padded at the end, where no position attends to the padding, and computed in windows of a power of two. A batch
//! holds as many rows as there is memory for: those of the configuration's `batch_size` sequences of T tokens. A step of
//! several batches adds up their gradients; the coefficients alone decide each token's weight, so the result does not depend
//! on how rows are split, except for rounding.

use super::source::RowsOnly;
use super::{TrainError, Trainer};
use crate::config::{Positions, RunConfig};
use crate::gpu::backend::Program;
use crate::gpu::context::Context;
use crate::model::memory::{PerToken, RING};
use crate::model::transformer::Transformer;
use crate::model::transformer::loss::WeightedLoss;
use crate::ops::step::Step;
use crate::train::objective::Objective;
use crate::types::StepPoint;

/// The passes over a batch of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RowPass {
    /// Losses and entropies.
    Score,
    /// Losses, entropies and gradients.
    Gradients,
    /// The optimizer's update.
    Update,
}

/// What the model computes for a row: one value for each target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenScores {
    /// Log-probability of each target, in nats.
    pub log_probs: Vec<f32>,
    /// Entropy of the distribution at each position, in nats.
    pub entropies: Vec<f32>,
}

/// The tokens of a row: n inputs, each with the token to predict.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Input ids, from position 0 on.
    pub inputs: &'a [u32],
    /// The ids to predict.
    pub targets: &'a [u32],
}

impl<'a> Row<'a> {
    /// The row that predicts every token of `ids` after the first.
    pub fn of(ids: &'a [u32]) -> Self {
        let n = ids.len().saturating_sub(1);
        Self { inputs: &ids[..n], targets: ids.get(1..).unwrap_or_default() }
    }

    fn len(&self) -> usize {
        self.inputs.len()
    }
}

/// Rows of a pass, in batches of equal size.
struct Layout {
    /// Rows per batch.
    batch_size: usize,
    /// Positions per row.
    window: usize,
}

impl Trainer {
    /// Creates a model for an objective whose batches are rows. Without tokens there is no held-out loss.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub async fn for_objective(
        config: RunConfig,
        context: Option<&Context>,
        objective: &dyn Objective,
    ) -> Result<Self, TrainError> {
        Self::build(config, context, Box::new(RowsOnly), objective).await
    }

    /// The log-probabilities and entropies of rows of 1 to T inputs, in order.
    ///
    /// # Errors
    /// If a row has another length, or the device failed.
    pub async fn score_rows(&mut self, rows: &[Row<'_>]) -> Result<Vec<TokenScores>, TrainError> {
        let layout = self.layout(rows)?;
        let program = self.row_program(&layout, RowPass::Score);
        self.make_room(program)?;
        let mut scores = Vec::with_capacity(rows.len());
        for batch in rows.chunks(layout.batch_size) {
            self.place_rows(&layout, batch);
            self.backend.run(program);
            scores.extend(self.read_scores(&layout, batch).await?);
        }
        Ok(scores)
    }

    /// One step on rows of 1 to T inputs, whose loss is Σ c·loss over all targets; `coefficients` holds these factors c for
    /// each row. Also returns the scores before the update.
    ///
    /// # Errors
    /// As [`Trainer::score_rows`], or if the loss or a gradient is non-finite; the step was not applied then.
    pub async fn step_on_rows(
        &mut self,
        rows: &[Row<'_>],
        coefficients: &[Vec<f32>],
    ) -> Result<(StepPoint, Vec<TokenScores>), TrainError> {
        let layout = self.layout(rows)?;
        if coefficients.len() != rows.len() || rows.iter().zip(coefficients).any(|(row, c)| c.len() != row.len()) {
            return Err(TrainError::Rows { problem: "their coefficients do not match their tokens".into() });
        }
        let [program, update] = [RowPass::Gradients, RowPass::Update].map(|pass| self.row_program(&layout, pass));
        self.make_room(program)?;
        self.make_room(update)?;
        self.cached.clear();
        let step = self.steps_submitted + 1;
        let values = self.step_values(step);
        let mut scores = Vec::with_capacity(rows.len());
        let batches = rows.chunks(layout.batch_size).zip(coefficients.chunks(layout.batch_size));
        for (index, (batch, coefficients)) in batches.enumerate() {
            let values = Step { weight: 1.0, first: u32::from(index == 0), ..values };
            self.backend.write(self.plan.step, bytemuck::cast_slice(&[values]));
            self.place_rows(&layout, batch);
            self.place_coefficients(&layout, coefficients);
            self.backend.run(program);
            scores.extend(self.read_scores(&layout, batch).await?);
        }
        self.backend.run(update);
        self.steps_submitted = step;
        let slot = values.slot as usize;
        let rings = [self.plan.loss_ring.part(0, RING), self.plan.norm_ring.part(0, RING)];
        let read = self.backend.start_read(&rings);
        let words = self.backend.finish_read(read).await?;
        let (loss, grad_norm) = (f32::from_bits(words[slot]), f32::from_bits(words[RING + slot]));
        if !loss.is_finite() || !grad_norm.is_finite() {
            self.steps_submitted -= 1;
            self.release();
            return Err(TrainError::Diverged { step, loss, grad_norm });
        }
        Ok((StepPoint { step, loss, lr: values.lr, grad_norm, seconds: 0.0 }, scores))
    }

    /// How rows are split into batches.
    fn layout(&self, rows: &[Row<'_>]) -> Result<Layout, TrainError> {
        let t = self.config.model.context_length;
        let lens = || rows.iter().map(|row| row.len());
        let (Some(shortest), Some(longest)) = (lens().min(), lens().max()) else {
            return Err(TrainError::Rows { problem: "there are none".into() });
        };
        if shortest < 1 || longest > t || rows.iter().any(|row| row.targets.len() != row.len()) {
            let problem =
                format!("they have {shortest} to {longest} inputs; each needs 1 to {t}, with as many targets");
            return Err(TrainError::Rows { problem });
        }
        if self.plan.per_token.is_none() || !self.config.model.causal {
            let problem = "they need a causal model that was created for an objective with coefficients".into();
            return Err(TrainError::Rows { problem });
        }
        // The table of learned positions is planned for whole windows.
        let whole = self.config.model.positions == Positions::Learned;
        let window = if whole { t } else { self.window(longest) };
        let most = (self.config.train.batch_size * t / window).max(1);
        let mut batch_size = rows.len().div_ceil(rows.len().div_ceil(most));
        if batch_size < rows.len() && self.plan.step_grads.buffer == self.plan.grads.buffer {
            let problem = format!(
                "{} of {window} tokens do not fit one batch of {most}; raise batch_size, or set accumulation_steps to 2 or more",
                rows.len()
            );
            return Err(TrainError::Rows { problem });
        }
        batch_size = batch_size.max(1);
        Ok(Layout { batch_size, window })
    }

    fn row_program(&mut self, layout: &Layout, pass: RowPass) -> Program {
        let key = match pass {
            RowPass::Update => (0, 0, pass),
            _ => (layout.batch_size, layout.window, pass),
        };
        if let Some(&program) = self.row_programs.get(&key) {
            return program;
        }
        let plan = self.plan.for_rows(layout.batch_size, layout.window);
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &plan };
        let program = self.backend.prepare(match pass {
            RowPass::Score => transformer.token_losses(),
            RowPass::Gradients => transformer.row_gradients(&WeightedLoss),
            RowPass::Update => transformer.update(),
        });
        self.row_programs.insert(key, program);
        program
    }

    /// Writes inputs and targets of up to one batch of rows; missing rows and positions hold token 0.
    fn place_rows(&mut self, layout: &Layout, rows: &[Row<'_>]) {
        let n = layout.batch_size * layout.window;
        let (mut inputs, mut targets) = (vec![0; n], vec![0; n]);
        for (index, row) in rows.iter().enumerate() {
            let start = index * layout.window;
            inputs[start..start + row.len()].copy_from_slice(row.inputs);
            targets[start..start + row.len()].copy_from_slice(row.targets);
        }
        self.backend.write(self.plan.batch.inputs, &inputs);
        self.backend.write(self.plan.targets, &targets);
    }

    fn place_coefficients(&mut self, layout: &Layout, coefficients: &[Vec<f32>]) {
        let mut padded = vec![0.0; layout.batch_size * layout.window];
        for (index, row) in coefficients.iter().enumerate() {
            padded[index * layout.window..][..row.len()].copy_from_slice(row);
        }
        if let Some(PerToken { coefficients, .. }) = self.plan.per_token {
            self.backend.write_f32(coefficients, &padded);
        }
    }

    async fn read_scores(&mut self, layout: &Layout, rows: &[Row<'_>]) -> Result<Vec<TokenScores>, TrainError> {
        let n = rows.len() * layout.window;
        let entropies = self.plan.per_token.map(|per_token| per_token.entropies.part(0, n));
        let slices: Vec<_> = [self.plan.losses.part(0, n)].into_iter().chain(entropies).collect();
        let values = self.read_slices(&slices).await?;
        let (losses, entropies) = values.split_at(n);
        let scores = |(index, row): (usize, &Row<'_>)| {
            let start = index * layout.window;
            let tokens = start..start + row.len();
            TokenScores {
                log_probs: losses[tokens.clone()].iter().map(|loss| -loss).collect(),
                entropies: entropies[tokens].to_vec(),
            }
        };
        Ok(rows.iter().enumerate().map(scores).collect())
    }
}
