//! One training step, top to bottom: forward, loss, backward, update. Each function appends its dispatches to a
//! recording in the order of execution; there is no autograd.
//!
//! Shapes: B batch, T positions, N = B·T rows, C = d_model, H heads, D = d_head, F = d_ff, V vocabulary.

use super::memory::{Activations, BlockActivations, MemoryPlan, heatmap_words};
use super::params::{BlockSlices, ParamTable};
use crate::config::ModelConfig;
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice};
use crate::ops::attention_scores::{self, MASKED, attention_scores};
use crate::ops::matmul::{MATMUL_NN, MATMUL_NT, MATMUL_TN, Shape, matmul};
use crate::ops::rmsnorm::{self, EPS, rmsnorm, rmsnorm_grad_gain, rmsnorm_grad_x};
use crate::ops::weighted_sum::{self, WEIGHTED_SUM, WEIGHTED_SUM_TRANSPOSED, weighted_sum};
use crate::ops::{adamw, clip, cross_entropy, embedding, gather_batch, mean_loss, quantize, residual, rope};
use crate::ops::{softmax, swiglu};

/// A model's shape, its table of parameters and its buffers: all that the recordings are made from.
pub struct Transformer<'a> {
    /// The shape.
    pub config: &'a ModelConfig,
    /// The parameters.
    pub table: &'a ParamTable,
    /// The buffers.
    pub plan: &'a MemoryPlan,
}

impl Transformer<'_> {
    /// One training step on the batch that `starts` points to.
    pub fn training_step(&self) -> Recording {
        let mut recording = Recording::new("training step");
        let plan = self.plan;
        self.gather(&mut recording, plan.train_tokens);
        self.forward(&mut recording, &plan.batch, |_, _, _| ());
        let loss =
            cross_entropy::Params { n_rows: self.rows(&plan.batch) as u32, vocab_size: self.config.vocab_size as u32 };
        cross_entropy::cross_entropy_grad(&mut recording, [plan.batch.logits, plan.targets, plan.losses], loss);
        mean_loss::mean_loss(&mut recording, [plan.step, plan.losses, plan.loss_ring]);
        self.backward(&mut recording);
        self.update(&mut recording);
        recording
    }

    /// The loss on the held-out batch that `starts` points to.
    pub fn evaluation(&self) -> Recording {
        let mut recording = Recording::new("evaluation");
        let plan = self.plan;
        self.gather(&mut recording, plan.val_tokens);
        self.forward(&mut recording, &plan.batch, |_, _, _| ());
        let loss =
            cross_entropy::Params { n_rows: self.rows(&plan.batch) as u32, vocab_size: self.config.vocab_size as u32 };
        cross_entropy::cross_entropy(&mut recording, [plan.batch.logits, plan.targets, plan.losses], loss);
        mean_loss::mean_loss(&mut recording, [plan.step, plan.losses, plan.loss_ring]);
        recording
    }

    /// One sequence: logits at every position, and all softmax weights as bytes.
    pub fn probe(&self) -> Recording {
        let mut recording = Recording::new("probe");
        let words = heatmap_words(self.config);
        self.forward(&mut recording, &self.plan.probe, |recording, layer, block| {
            quantize::quantize(recording, [block.weights, self.plan.heatmaps], layer * words);
        });
        recording
    }

    fn gather(&self, recording: &mut Recording, tokens: Slice) {
        let plan = self.plan;
        let params = gather_batch::Params {
            batch_size: plan.batch.batch_size as u32,
            context_length: self.config.context_length as u32,
        };
        gather_batch::gather_batch(recording, [tokens, plan.starts, plan.batch.inputs, plan.targets], params);
    }

    /// Token ids → logits. `after_block` may append what looks at a block's activations.
    fn forward(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        after_block: impl Fn(&mut Recording, usize, &BlockActivations),
    ) {
        let params = self.plan.params;
        // x = E[ids]
        let mut x = acts.blocks.first().map_or(acts.x_final, |block| block.x);
        embedding::embedding(recording, [self.table.token_embeddings(params), acts.inputs, x], self.embedding(acts));
        for (layer, block) in acts.blocks.iter().enumerate() {
            let weights = self.table.block(layer, params);
            self.attention(recording, acts, block, &weights, x);
            // The next block's stream is this block's output. Where blocks share their buffers, `branch` is added to
            // `x_mid` into the very `x` that this block no longer needs.
            let out = acts.blocks.get(layer + 1).map_or(acts.x_final, |next| next.x);
            self.feed_forward(recording, acts, block, &weights, out);
            after_block(recording, layer, block);
            x = out;
        }
        // logits = RMSNorm(x) · W_headᵀ
        let norm = [x, self.table.ln_final(params), acts.norm_final, acts.inv_rms_final];
        rmsnorm(recording, norm, self.norm(acts, false));
        let head = [acts.norm_final, self.table.lm_head(params), acts.logits];
        self.linear(recording, acts, head, self.config.d_model, self.config.vocab_size);
    }

    /// x_mid = x + W_o · heads(RMSNorm(x))
    fn attention(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        block: &BlockActivations,
        weights: &BlockSlices,
        x: Slice,
    ) {
        let c = self.config.d_model;
        rmsnorm(recording, [x, weights.ln1, block.norm1, block.inv_rms1], self.norm(acts, false));
        self.linear(recording, acts, [block.norm1, weights.q, block.q], c, c);
        self.linear(recording, acts, [block.norm1, weights.k, block.k], c, c);
        self.linear(recording, acts, [block.norm1, weights.v, block.v], c, c);
        rope::rope(recording, [self.plan.cos_sin, block.q], self.rotation(acts, 1.0));
        rope::rope(recording, [self.plan.cos_sin, block.k], self.rotation(acts, 1.0));
        // weights = softmax(mask(q·kᵀ / √D))
        let scores = self.scores(self.scale(), MASKED);
        attention_scores(recording, [block.q, block.k, block.weights], acts.batch_size, scores);
        softmax::softmax(recording, block.weights, self.score_rows(acts));
        // heads = weights · v
        let sum = [block.weights, block.v, block.heads];
        weighted_sum(recording, &WEIGHTED_SUM, sum, acts.batch_size, self.sums(1.0));
        self.linear(recording, acts, [block.heads, weights.output, acts.branch], c, c);
        residual::residual(recording, [x, acts.branch, block.x_mid]);
    }

    /// out = x_mid + W2 · (SiLU(W1 · norm2) ⊙ W3 · norm2),  norm2 = RMSNorm(x_mid)
    fn feed_forward(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        block: &BlockActivations,
        weights: &BlockSlices,
        out: Slice,
    ) {
        let (c, f) = (self.config.d_model, self.config.d_ff);
        rmsnorm(recording, [block.x_mid, weights.ln2, block.norm2, block.inv_rms2], self.norm(acts, false));
        self.linear(recording, acts, [block.norm2, weights.w1, block.gate], c, f);
        self.linear(recording, acts, [block.norm2, weights.w3, block.up], c, f);
        swiglu::swiglu(recording, [block.gate, block.up, block.hidden]);
        self.linear(recording, acts, [block.hidden, weights.w2, acts.branch], f, c);
        residual::residual(recording, [block.x_mid, acts.branch, out]);
    }

    /// The gradient of the logits → the gradients of all parameters, block by block from the end.
    fn backward(&self, recording: &mut Recording) {
        let (plan, acts, grad) = (self.plan, &self.plan.batch, &self.plan.gradients);
        let (c, v) = (self.config.d_model, self.config.vocab_size);
        // logits = norm_final · W_headᵀ
        self.linear_grad(recording, [acts.norm_final, self.table.lm_head(plan.grads), acts.logits], c, v);
        let head = [acts.logits, self.table.lm_head(plan.params), grad.norm];
        self.linear_grad_x(recording, head, c, v, false);
        // norm_final = RMSNorm(x_final)
        let gains = [self.table.ln_final(plan.params), self.table.ln_final(plan.grads)];
        self.norm_grad(recording, acts.x_final, acts.inv_rms_final, gains, false);
        for (layer, block) in acts.blocks.iter().enumerate().rev() {
            let weights = self.table.block(layer, plan.params);
            let grads = self.table.block(layer, plan.grads);
            self.feed_forward_grad(recording, block, &weights, &grads);
            self.attention_grad(recording, block, &weights, &grads);
        }
        // x = E[ids]
        let table_grad = self.table.token_embeddings(plan.grads);
        embedding::embedding_grad(recording, [grad.stream, acts.inputs, table_grad], self.embedding(acts));
    }

    /// out = x_mid + W2 · hidden: the stream's gradient is the branch's gradient too; what comes back out of the
    /// branch is added to it.
    fn feed_forward_grad(
        &self,
        recording: &mut Recording,
        block: &BlockActivations,
        weights: &BlockSlices,
        grads: &BlockSlices,
    ) {
        let grad = &self.plan.gradients;
        let (c, f) = (self.config.d_model, self.config.d_ff);
        // branch = hidden · W2ᵀ
        self.linear_grad(recording, [block.hidden, grads.w2, grad.stream], f, c);
        self.linear_grad_x(recording, [grad.stream, weights.w2, grad.hidden], f, c, false);
        // hidden = SiLU(gate) ⊙ up
        swiglu::swiglu_grad(recording, [block.gate, block.up, grad.hidden, grad.gate, grad.up]);
        // gate = norm2 · W1ᵀ, up = norm2 · W3ᵀ
        self.linear_grad(recording, [block.norm2, grads.w1, grad.gate], c, f);
        self.linear_grad(recording, [block.norm2, grads.w3, grad.up], c, f);
        self.linear_grad_x(recording, [grad.gate, weights.w1, grad.norm], c, f, false);
        self.linear_grad_x(recording, [grad.up, weights.w3, grad.norm], c, f, true);
        // norm2 = RMSNorm(x_mid)
        self.norm_grad(recording, block.x_mid, block.inv_rms2, [weights.ln2, grads.ln2], true);
    }

    /// x_mid = x + W_o · heads
    fn attention_grad(
        &self,
        recording: &mut Recording,
        block: &BlockActivations,
        weights: &BlockSlices,
        grads: &BlockSlices,
    ) {
        let (acts, grad) = (&self.plan.batch, &self.plan.gradients);
        let (c, batch_size) = (self.config.d_model, acts.batch_size);
        // branch = heads · W_oᵀ
        self.linear_grad(recording, [block.heads, grads.output, grad.stream], c, c);
        self.linear_grad_x(recording, [grad.stream, weights.output, grad.heads], c, c, false);
        // heads = weights · v
        attention_scores(recording, [grad.heads, block.v, grad.scores], batch_size, self.scores(1.0, 0.0));
        let v_grad = [block.weights, grad.heads, grad.v];
        weighted_sum(recording, &WEIGHTED_SUM_TRANSPOSED, v_grad, batch_size, self.sums(1.0));
        // weights = softmax(scores)
        softmax::softmax_grad(recording, [block.weights, grad.scores], self.score_rows(acts));
        // scores = q·kᵀ / √D
        let q_grad = [grad.scores, block.k, grad.q];
        weighted_sum(recording, &WEIGHTED_SUM, q_grad, batch_size, self.sums(self.scale()));
        let k_grad = [grad.scores, block.q, grad.k];
        weighted_sum(recording, &WEIGHTED_SUM_TRANSPOSED, k_grad, batch_size, self.sums(self.scale()));
        rope::rope(recording, [self.plan.cos_sin, grad.q], self.rotation(acts, -1.0));
        rope::rope(recording, [self.plan.cos_sin, grad.k], self.rotation(acts, -1.0));
        // q, k, v = norm1 · Wᵀ
        self.linear_grad(recording, [block.norm1, grads.q, grad.q], c, c);
        self.linear_grad(recording, [block.norm1, grads.k, grad.k], c, c);
        self.linear_grad(recording, [block.norm1, grads.v, grad.v], c, c);
        self.linear_grad_x(recording, [grad.q, weights.q, grad.norm], c, c, false);
        self.linear_grad_x(recording, [grad.k, weights.k, grad.norm], c, c, true);
        self.linear_grad_x(recording, [grad.v, weights.v, grad.norm], c, c, true);
        // norm1 = RMSNorm(x)
        self.norm_grad(recording, block.x, block.inv_rms1, [weights.ln1, grads.ln1], true);
    }

    /// Clips all gradients by their global norm and takes one step of AdamW per decay group.
    fn update(&self, recording: &mut Recording) {
        let plan = self.plan;
        clip::clip(recording, plan.step, plan.grads, [plan.squared_sums, plan.grad_norm, plan.norm_ring]);
        let groups = |buffer| self.table.decay_groups(buffer);
        for group in 0..2 {
            let [(grad, decay), (param, _), (m, _), (v, _)] =
                [plan.grads, plan.params, plan.adam_m, plan.adam_v].map(|buffer| groups(buffer)[group]);
            adamw::adamw(recording, plan.step, plan.grad_norm, [grad, param, m, v], decay);
        }
    }

    /// y (N, d_out) = x (N, d_in) · Wᵀ
    fn linear(&self, recording: &mut Recording, acts: &Activations, [x, w, y]: [Slice; 3], d_in: usize, d_out: usize) {
        let shape = Shape { m: self.rows(acts), n: d_out, k: d_in };
        matmul(recording, &MATMUL_NT, [x, w, y], shape, false);
    }

    /// W_grad (d_out, d_in) = y_gradᵀ · x
    fn linear_grad(&self, recording: &mut Recording, [x, w_grad, y_grad]: [Slice; 3], d_in: usize, d_out: usize) {
        let shape = Shape { m: d_out, n: d_in, k: self.rows(&self.plan.batch) };
        matmul(recording, &MATMUL_TN, [y_grad, x, w_grad], shape, false);
    }

    /// x_grad (N, d_in) = y_grad · W, added to what is there when `accumulate`
    fn linear_grad_x(
        &self,
        recording: &mut Recording,
        [y_grad, w, x_grad]: [Slice; 3],
        d_in: usize,
        d_out: usize,
        accumulate: bool,
    ) {
        let kernel: &'static Kernel = &MATMUL_NN;
        let shape = Shape { m: self.rows(&self.plan.batch), n: d_in, k: d_out };
        matmul(recording, kernel, [y_grad, w, x_grad], shape, accumulate);
    }

    /// From the gradient of a norm's output to those of its gain and of the stream before it.
    fn norm_grad(
        &self,
        recording: &mut Recording,
        x: Slice,
        inv_rms: Slice,
        [gain, gain_grad]: [Slice; 2],
        accumulate: bool,
    ) {
        let (acts, grad) = (&self.plan.batch, &self.plan.gradients);
        let params = self.norm(acts, accumulate);
        rmsnorm_grad_gain(recording, [x, grad.norm, inv_rms, gain_grad], params);
        rmsnorm_grad_x(recording, [x, gain, grad.norm, inv_rms, grad.stream], params);
    }

    /// N = B·T
    fn rows(&self, acts: &Activations) -> usize {
        acts.batch_size * self.config.context_length
    }

    /// 1/√D
    fn scale(&self) -> f32 {
        1.0 / (self.config.d_head() as f32).sqrt()
    }

    fn embedding(&self, acts: &Activations) -> embedding::Params {
        embedding::Params {
            n_tokens: self.rows(acts) as u32,
            vocab_size: self.config.vocab_size as u32,
            d_model: self.config.d_model as u32,
        }
    }

    fn norm(&self, acts: &Activations, accumulate: bool) -> rmsnorm::Params {
        rmsnorm::Params {
            n_rows: self.rows(acts) as u32,
            d_model: self.config.d_model as u32,
            eps: EPS,
            accumulate: u32::from(accumulate),
        }
    }

    fn rotation(&self, acts: &Activations, direction: f32) -> rope::Params {
        rope::Params {
            n_rows: self.rows(acts) as u32,
            context_length: self.config.context_length as u32,
            d_model: self.config.d_model as u32,
            d_head: self.config.d_head() as u32,
            direction,
        }
    }

    fn scores(&self, scale: f32, masked_value: f32) -> attention_scores::Params {
        attention_scores::Params {
            context_length: self.config.context_length as u32,
            n_heads: self.config.n_heads as u32,
            d_head: self.config.d_head() as u32,
            scale,
            masked_value,
        }
    }

    fn score_rows(&self, acts: &Activations) -> softmax::Params {
        let n = self.config.context_length;
        softmax::Params { n_rows: (acts.batch_size * self.config.n_heads * n) as u32, n_cols: n as u32 }
    }

    fn sums(&self, scale: f32) -> weighted_sum::Params {
        weighted_sum::Params {
            context_length: self.config.context_length as u32,
            n_heads: self.config.n_heads as u32,
            d_head: self.config.d_head() as u32,
            scale,
        }
    }
}
