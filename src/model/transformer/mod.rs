//! One training step, top to bottom: forward (`forward.rs`), loss, backward (`backward.rs`), update. Each function
//! appends its dispatches to a recording in the order of execution; there is no autograd.
//!
//! Shapes: B batch, T positions, N = B·T rows, C = d_model, H query heads, Hkv KV heads, D = d_head, F = d_ff, V
//! vocabulary.

mod backward;
mod forward;
mod inspect;
mod launch;
pub mod loss;
mod pieces;

use self::loss::{HeadLoss, HeadRows, MeanLoss};
use self::pieces::{Rows, pieces};
use super::memory::{Activations, BlockActivations, MemoryPlan, PerToken, heatmap_words};
use super::params::ParamTable;
use crate::config::{ModelConfig, NormPlacement, Optimizer, RunConfig};
use crate::gpu::recording::{ALIGNMENT, Recording, Slice};
use crate::ops::{
    accumulate, adamw, clip, cross_entropy, gather_batch, mean_loss, quantize, row_entropy, sgd, write_rows,
};

/// A run's configuration, its parameter table and its buffers: the inputs of all recordings.
pub struct Transformer<'a> {
    /// Configuration of model and training.
    pub config: &'a RunConfig,
    /// Table of the parameters.
    pub table: &'a ParamTable,
    /// Plan of the buffers.
    pub plan: &'a MemoryPlan,
}

impl Transformer<'_> {
    /// One training step on the batch that `starts` points to.
    pub fn training_step(&self) -> Recording {
        let mut recording = Recording::new("training step");
        self.gather(&mut recording, self.plan.train_tokens);
        self.gradients_into(&mut recording, &MeanLoss);
        self.update_into(&mut recording);
        recording
    }

    /// One of several batches of a step: adds its gradients to the step's, without an update.
    pub fn accumulated_batch(&self) -> Recording {
        let mut recording = Recording::new("accumulated batch");
        let plan = self.plan;
        self.gather(&mut recording, plan.train_tokens);
        self.gradients_into(&mut recording, &MeanLoss);
        self.accumulate_into(&mut recording);
        recording
    }

    /// Loss and gradients of the batch that is already in `inputs` and `targets`, added to the step's gradients where those
    /// have their own buffer.
    pub fn row_gradients(&self, loss: &dyn HeadLoss) -> Recording {
        let mut recording = Recording::new("gradients of rows");
        self.gradients_into(&mut recording, loss);
        if self.plan.step_grads.buffer != self.plan.grads.buffer {
            self.accumulate_into(&mut recording);
        }
        recording
    }

    /// Loss and entropy of every token of the batch that is already in `inputs` and `targets`.
    pub fn token_losses(&self) -> Recording {
        let mut recording = Recording::new("losses of tokens");
        let acts = &self.plan.batch;
        let x = self.forward_to_head(&mut recording, acts, |_, _, _| ());
        for rows in self.head_pieces() {
            let head = self.head_rows(&mut recording, acts, x, rows);
            loss::token_entropy(&mut recording, head);
        }
        recording
    }

    fn accumulate_into(&self, recording: &mut Recording) {
        let plan = self.plan;
        for piece in self.param_pieces() {
            let [grads, sums] = [plan.grads, plan.step_grads].map(|of| of.part(piece.first, piece.n));
            accumulate::accumulate(recording, [plan.step, grads, sums]);
        }
    }

    /// The end of a step of several batches.
    pub fn update(&self) -> Recording {
        let mut recording = Recording::new("update");
        self.update_into(&mut recording);
        recording
    }

    /// Loss and gradients of the batch that `starts` points to, without an update.
    pub fn batch_gradients(&self) -> Recording {
        let mut recording = Recording::new("gradients of a batch");
        self.gather(&mut recording, self.plan.train_tokens);
        self.gradients_into(&mut recording, &MeanLoss);
        recording
    }

    /// Loss and gradients of the batch that is already in `inputs` and `targets`.
    pub fn gradients(&self) -> Recording {
        let mut recording = Recording::new("gradients");
        self.gradients_into(&mut recording, &MeanLoss);
        recording
    }

    /// The logits of the batch that is already in `inputs`.
    pub fn logits(&self) -> Recording {
        let mut recording = Recording::new("logits");
        self.forward(&mut recording, &self.plan.batch, |_, _, _| ());
        recording
    }

    /// The output of the first block alone, for a residual stream that is already in the batch's buffer. It goes into the
    /// input of the second block, or into the final stream if there is none.
    pub fn first_block(&self) -> Recording {
        let mut recording = Recording::new("first block");
        self.block(&mut recording, &self.plan.batch, 0);
        recording
    }

    /// The loss on the held-out batch that `starts` points to.
    pub fn evaluation(&self) -> Recording {
        let mut recording = Recording::new("evaluation");
        self.evaluate(&mut recording, &self.plan.batch);
        recording
    }

    fn evaluate(&self, recording: &mut Recording, acts: &Activations) {
        let plan = self.plan;
        self.gather(recording, plan.val_tokens);
        let x = self.forward_to_head(recording, acts, |_, _, _| ());
        for rows in self.head_pieces() {
            let HeadRows { logits, targets, losses, params, .. } = self.head_rows(recording, acts, x, rows);
            cross_entropy::cross_entropy(recording, [logits, targets, losses], params);
        }
        mean_loss::mean_loss(recording, [plan.step, plan.losses, plan.loss_ring]);
    }

    /// One sequence, with the activations of the plan's probe or [shortened](Activations::shortened) ones: logits at
    /// every position, all softmax weights as bytes, and the entropies of their rows.
    pub fn probe(&self, acts: &Activations) -> Recording {
        let mut recording = Recording::new("probe");
        let words = heatmap_words(self.model(), acts.window);
        let heatmaps = self.plan.heatmaps.part(0, self.model().n_layers * words);
        self.forward(&mut recording, acts, |recording, layer, block| {
            if let Some(weights) = block.weights {
                // Binds only this layer's words, rounded down to a valid slice offset.
                let (end, start) = ((layer + 1) * words, layer * words / ALIGNMENT * ALIGNMENT);
                let bound = heatmaps.part(start, end - start);
                quantize::quantize(recording, [weights, bound], layer * words - start);
                let [n_heads, window] = [self.model().n_heads, acts.window].map(|size| size as u32);
                let params = row_entropy::Params { n_heads, window, start: layer as u32 * (n_heads + 1) * window };
                row_entropy::row_entropy(recording, [weights, self.plan.entropies], params);
            }
        });
        recording
    }

    /// The prompts: all keys and values into the cache, for [`Transformer::next_token`], and the logits after each
    /// prompt's last token, into the buffer of the next token's logits.
    pub fn fill_cache(&self) -> Recording {
        let mut recording = Recording::new("fill cache");
        let (prompt, next) = (&self.plan.cache.prompt, &self.plan.cache.next);
        self.blocks(&mut recording, prompt, |recording, layer, block| self.cache(recording, layer, block, prompt));
        self.lookup(&mut recording, next.n_rows(), [prompt.x_final, self.plan.cache.last_rows, next.x_final]);
        self.head(&mut recording, next, next.x_final);
        recording
    }

    /// One token of each text after those in the cache: its logits, and its keys and values into the cache.
    pub fn next_token(&self) -> Recording {
        let mut recording = Recording::new("next token");
        self.forward(&mut recording, &self.plan.cache.next, |_, _, _| ());
        recording
    }

    /// Copies the keys and values of a block into the cache, from each text's position on.
    fn cache(&self, recording: &mut Recording, layer: usize, block: &BlockActivations, acts: &Activations) {
        let (cache, c, kv) = (&self.plan.cache, self.model().d_model as u32, self.model().d_kv() as u32);
        let columns = |first_col| write_rows::Params {
            n_rows: acts.n_rows() as u32,
            rows_per_sequence: acts.window as u32,
            table_rows: self.model().context_length as u32,
            width: kv,
            stride: c + 2 * kv,
            first_col,
        };
        write_rows::write_rows(recording, [cache.position, block.qkv, cache.k[layer]], columns(c));
        write_rows::write_rows(recording, [cache.position, block.qkv, cache.v[layer]], columns(c + kv));
    }

    fn gather(&self, recording: &mut Recording, tokens: Slice) {
        let plan = self.plan;
        let (batch_size, context_length) = (plan.batch.batch_size as u32, self.model().context_length as u32);
        let params = gather_batch::Params { batch_size, context_length };
        gather_batch::gather_batch(recording, [tokens, plan.starts, plan.batch.inputs, plan.targets], params);
    }

    /// Forward, loss, backward.
    fn gradients_into(&self, recording: &mut Recording, loss: &dyn HeadLoss) {
        let plan = self.plan;
        let x = self.forward_to_head(recording, &plan.batch, |_, _, _| ());
        for rows in self.head_pieces() {
            let head = self.head_rows(recording, &plan.batch, x, rows);
            loss.gradient(recording, head);
            self.head_grad(recording, rows);
        }
        loss.total(recording, plan);
        self.backward(recording);
    }

    /// One optimizer step with all gradients clipped by their global norm.
    fn update_into(&self, recording: &mut Recording) {
        let plan = self.plan;
        let (step, norm, grad, param) = (plan.step, plan.grad_norm, plan.step_grads, plan.params);
        clip::grad_norm(recording, step, grad, [plan.squared_sums, norm, plan.norm_ring, plan.loss_ring]);
        let decay_len = self.table.decay_len();
        match self.config.train.optimizer {
            Optimizer::Adamw => {
                for piece in self.param_pieces() {
                    let slices = [grad, param, plan.adam_m, plan.adam_v].map(|of| of.part(piece.first, piece.n));
                    adamw::adamw(recording, step, norm, slices, decay_len.saturating_sub(piece.first));
                }
            }
            Optimizer::Sgd => {
                for piece in self.param_pieces() {
                    let slices = [grad, param, plan.adam_m].map(|of| of.part(piece.first, piece.n));
                    sgd::sgd(recording, step, norm, slices, decay_len.saturating_sub(piece.first));
                }
            }
        }
    }

    /// The rows of a batch whose logits are in memory at the same time.
    fn head_pieces(&self) -> impl Iterator<Item = Rows> + use<> {
        pieces(self.plan.batch.n_rows(), self.plan.head_rows)
    }

    /// Appends the logits of some rows of a batch; returns the slices and parameters of their loss.
    fn head_rows(&self, recording: &mut Recording, acts: &Activations, x: Slice, rows: Rows) -> HeadRows {
        let (plan, all) = (self.plan, Rows { first: 0, n: rows.n });
        self.logits_into(recording, acts, rows.of(x, acts.n_rows()), (rows.n, all));
        let (block, n_total) = (plan.vocab_block as u32, acts.n_rows() as u32);
        let part = |slice: Slice| slice.part(rows.first, rows.n);
        let per_token = |PerToken { coefficients, entropies }| PerToken {
            coefficients: part(coefficients),
            entropies: part(entropies),
        };
        HeadRows {
            logits: acts.logits.part(0, rows.n * self.model().vocab_size),
            targets: part(plan.targets),
            losses: part(plan.losses),
            per_token: plan.per_token.map(per_token),
            params: cross_entropy::Params {
                block,
                n_total,
                ..cross_entropy::Params::new(rows.n, self.model().vocab_size)
            },
        }
    }

    fn model(&self) -> &ModelConfig {
        &self.config.model
    }

    /// Whether norms come after the sums.
    fn post_norm(&self) -> bool {
        self.model().norm_placement == NormPlacement::Post
    }

    /// 1/√D
    fn scale(&self) -> f32 {
        1.0 / (self.model().d_head() as f32).sqrt()
    }
}
