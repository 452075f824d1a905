//! Layers as dispatches: the steps of forward and backward, with the parameters of their kernels filled in.

use super::pieces::{Rows, pieces};
use super::{Activations, Transformer};
use crate::config::{Norm, Positions};
use crate::gpu::recording::{Recording, Slice};
use crate::model::memory::{NormActivations, Pass};
use crate::model::params::{LinearSlices, NormSlices};
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::{
    attention_scores, bias, embedding, flash_attention, layernorm, linear_grad, rmsnorm, rope, softmax, weighted_sum,
};

/// Maximum number of tokens whose gradients one dispatch adds up: below llvmpipe's limit of 65,535 iterations.
const MAX_TOKENS: usize = 57_344;

impl Transformer<'_> {
    /// y (N, out) = x (N, in) · Wᵀ + b, plus `base` (N, out) if given; the widths follow from the sizes.
    pub(super) fn linear(
        &self,
        recording: &mut Recording,
        n_rows: usize,
        layer: &LinearSlices,
        [x, y]: [Slice; 2],
        base: Option<Slice>,
    ) {
        let (n, k) = (y.len / n_rows, x.len / n_rows);
        for rows in self.row_pieces(n_rows, 2.0 * n as f64 * k as f64) {
            let [x, y] = [x, y].map(|slice| rows.of(slice, n_rows));
            let base = base.map(|base| rows.of(base, n_rows));
            matmul(recording, Layout::Nt, [x, layer.weight, y], Shape { m: rows.n, n, k }, base);
        }
        if let Some(b) = layer.bias {
            bias::bias(recording, [b, y], n_rows);
        }
    }

    /// From y_grad to x_grad = y_grad · W (added to its values when `accumulate`), W_grad = y_gradᵀ · x and b_grad = Σ_n
    /// y_grad[n].
    pub(super) fn linear_grad(
        &self,
        recording: &mut Recording,
        [layer, grads]: [&LinearSlices; 2],
        [x, y_grad, x_grad]: [Slice; 3],
        accumulate: bool,
    ) {
        let n_rows = self.plan.batch.n_rows();
        for rows in self.row_pieces(n_rows, 4.0 * layer.weight.len as f64) {
            let [x, y_grad, x_grad] = [x, y_grad, x_grad].map(|slice| rows.of(slice, n_rows));
            let bindings = [x, layer.weight, y_grad, x_grad, grads.weight];
            linear_grad::linear_grad_onto(recording, bindings, rows.n, [accumulate, rows.first > 0]);
        }
        if let Some(b_grad) = grads.bias {
            bias::bias_grad(recording, [y_grad, b_grad], n_rows);
        }
    }

    /// y = norm(x), all (N, C); `stats` stores what the backward pass needs.
    pub(super) fn norm(&self, recording: &mut Recording, n_rows: usize, norm: &NormSlices, [x, y, stats]: [Slice; 3]) {
        let params = self.norm_params(n_rows, false);
        match self.model().norm {
            Norm::Layernorm => layernorm::layernorm(recording, [x, norm.gain, y, stats], params),
            Norm::Rmsnorm | Norm::None => rmsnorm::rmsnorm(recording, [x, norm.gain, y, stats], params),
        }
        if let Some(b) = norm.bias {
            bias::bias(recording, [b, y], n_rows);
        }
    }

    /// From the gradient of a norm's output to those of its gain, its bias and its input.
    pub(super) fn norm_grad(
        &self,
        recording: &mut Recording,
        [norm, grads]: [&NormSlices; 2],
        [x, stats, y_grad, x_grad]: [Slice; 4],
        accumulate: bool,
    ) {
        let params = self.norm_params(self.plan.batch.n_rows(), accumulate);
        let bindings = [x, norm.gain, y_grad, stats, x_grad, grads.gain];
        match self.model().norm {
            Norm::Layernorm => layernorm::layernorm_grad(recording, bindings, params),
            Norm::Rmsnorm | Norm::None => rmsnorm::rmsnorm_grad(recording, bindings, params),
        }
        if let Some(b_grad) = grads.bias {
            bias::bias_grad(recording, [y_grad, b_grad], self.plan.batch.n_rows());
        }
    }

    /// The input of a branch: the norm of `x` for norms before the branches, else `x` itself.
    pub(super) fn norm_before(
        &self,
        recording: &mut Recording,
        n_rows: usize,
        norm: Option<NormSlices>,
        buffers: Option<NormActivations>,
        x: Slice,
    ) -> Slice {
        if let Some((norm, buffers)) = norm.zip(buffers).filter(|_| !self.post_norm()) {
            self.norm(recording, n_rows, &norm, [x, buffers.values, buffers.stats]);
        }
        self.branch_input(buffers, x)
    }

    /// The slice of the branch's input, after [`Transformer::norm_before`].
    pub(super) fn branch_input(&self, buffers: Option<NormActivations>, x: Slice) -> Slice {
        buffers.filter(|_| !self.post_norm()).map_or(x, |buffers| buffers.values)
    }

    /// out = x + hidden · Wᵀ + b, the end of a branch; for norms after the sums, the norm of that.
    pub(super) fn linear_onto(
        &self,
        recording: &mut Recording,
        n_rows: usize,
        layer: &LinearSlices,
        norm: Option<(NormSlices, NormActivations)>,
        [hidden, x, out]: [Slice; 3],
    ) {
        match norm.filter(|_| self.post_norm()) {
            Some((norm, buffers)) => {
                self.linear(recording, n_rows, layer, [hidden, buffers.values], Some(x));
                self.norm(recording, n_rows, &norm, [buffers.values, out, buffers.stats]);
            }
            None => self.linear(recording, n_rows, layer, [hidden, out], Some(x)),
        }
    }

    /// out (N, C) = table[ids]
    pub(super) fn lookup(&self, recording: &mut Recording, n_rows: usize, [table, ids, out]: [Slice; 3]) {
        for block in self.blocks_of(table) {
            let part = block.of(table, table.len / self.model().d_model);
            embedding::embedding(recording, [part, ids, out], self.lookup_params(n_rows, block, false));
        }
    }

    /// The gradient of a table, added to its values when `accumulate`.
    pub(super) fn lookup_grad(
        &self,
        recording: &mut Recording,
        [out_grad, ids, table_grad]: [Slice; 3],
        accumulate: bool,
    ) {
        let n_rows = self.plan.batch.n_rows();
        for block in self.blocks_of(table_grad) {
            let part = block.of(table_grad, table_grad.len / self.model().d_model);
            // More rows than llvmpipe's loops can run are added in pieces.
            for rows in pieces(n_rows, MAX_TOKENS) {
                let [out_grad, ids] = [out_grad, ids].map(|slice| rows.of(slice, n_rows));
                let params = self.lookup_params(rows.n, block, accumulate || rows.first > 0);
                embedding::embedding_grad(recording, [out_grad, ids, part], params);
            }
        }
    }

    /// The parts in which a table is bound: blocks of the vocabulary for the token embedding.
    fn blocks_of(&self, table: Slice) -> Vec<Rows> {
        let n = table.len / self.model().d_model;
        if n == self.model().vocab_size { self.table_blocks().collect() } else { vec![Rows { first: 0, n }] }
    }

    fn lookup_params(&self, n_rows: usize, block: Rows, accumulate: bool) -> embedding::Params {
        embedding::Params {
            n_tokens: n_rows as u32,
            vocab_size: block.n as u32,
            d_model: self.model().d_model as u32,
            accumulate: u32::from(accumulate),
            first_id: block.first as u32,
        }
    }

    /// Operations of `products` matmuls of queries and keys for one sequence.
    pub(super) fn attention_flops(&self, acts: &Activations, products: f64) -> f64 {
        let (t, c) = (acts.window as f64, self.model().d_model as f64);
        let visible = if self.model().causal { 0.5 } else { 1.0 };
        2.0 * products * visible * t * t * c
    }

    /// 0 … T − 1 for every sequence, or the one new position of each.
    pub(super) fn position_ids(&self, acts: &Activations) -> Slice {
        match acts.pass {
            Pass::Window => self.plan.position_ids.part(0, acts.n_rows()),
            Pass::Prompt => self.plan.cache.prompt_positions,
            Pass::NextToken => self.plan.cache.position,
        }
    }

    /// RoPE's table for the positions of this pass.
    pub(super) fn cos_sin(&self, acts: &Activations) -> Slice {
        match acts.pass {
            Pass::Window | Pass::Prompt => self.plan.cos_sin,
            Pass::NextToken => self.plan.cache.cos_sin,
        }
    }

    fn norm_params(&self, n_rows: usize, accumulate: bool) -> rmsnorm::Params {
        let (d_model, eps) = (self.model().d_model as u32, self.model().norm_eps as f32);
        rmsnorm::Params { n_rows: n_rows as u32, d_model, eps, accumulate: u32::from(accumulate) }
    }

    /// Parameters for rotating queries and keys in rows of qkv.
    pub(super) fn rotation(&self, acts: &Activations) -> rope::Params {
        let (c, kv) = (self.model().d_model as u32, self.model().d_kv() as u32);
        rope::Params {
            n_rows: acts.n_rows() as u32,
            // The table for next tokens has one row per text.
            context_length: if acts.pass == Pass::NextToken { acts.n_rows() } else { acts.window } as u32,
            d_model: c + kv,
            stride: c + 2 * kv,
            d_head: self.model().d_head() as u32,
            direction: 1.0,
        }
    }

    pub(super) fn flash(&self, acts: &Activations) -> flash_attention::Params {
        let model = self.model();
        let rotated = u32::from(model.positions == Positions::Rope);
        let sizes = flash_attention::Params::new(acts.window, model.n_heads, model.n_kv_heads, model.d_head());
        flash_attention::Params { rotated, causal: u32::from(model.causal), ..sizes }
    }

    pub(super) fn scores(&self, acts: &Activations, masked_value: f32) -> attention_scores::Params {
        let model = self.model();
        attention_scores::Params {
            context_length: acts.window as u32,
            n_heads: model.n_heads as u32,
            n_kv_heads: model.n_kv_heads as u32,
            d_head: model.d_head() as u32,
            causal: u32::from(model.causal),
            scale: self.scale(),
            masked_value,
        }
    }

    pub(super) fn score_rows(&self, acts: &Activations) -> softmax::Params {
        let n = acts.window;
        softmax::Params { n_rows: (acts.batch_size * self.model().n_heads * n) as u32, n_cols: n as u32 }
    }

    pub(super) fn sums(&self, acts: &Activations) -> weighted_sum::Params {
        let model = self.model();
        weighted_sum::Params {
            context_length: acts.window as u32,
            n_heads: model.n_heads as u32,
            n_kv_heads: model.n_kv_heads as u32,
            d_head: model.d_head() as u32,
            causal: u32::from(model.causal),
        }
    }
}
