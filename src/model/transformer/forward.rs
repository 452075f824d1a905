//! From token ids to logits.

use super::pieces::{Rows, logits_block, pieces};
use super::{Activations, BlockActivations, Transformer};
use crate::config::{FeedForward, Positions};
use crate::gpu::recording::{Recording, Slice};
use crate::model::memory::{Pass, ROWS_UNIT};
use crate::model::params::BlockSlices;
use crate::ops::activation::{Activation, activation};
use crate::ops::attention_scores::{MASKED, attention_scores};
use crate::ops::flash_attention::flash_attention;
use crate::ops::weighted_sum::weighted_sum;
use crate::ops::{cached_attention, head_scale, mask, residual, rope, softmax, swiglu};

impl Transformer<'_> {
    /// Token ids → logits. `after_block` may append dispatches that inspect a block's activations.
    pub(super) fn forward(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        after_block: impl Fn(&mut Recording, usize, &BlockActivations),
    ) {
        let x = self.forward_to_head(recording, acts, after_block);
        self.all_logits(recording, acts, x);
    }

    /// Token ids → input of the head.
    pub(super) fn forward_to_head(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        after_block: impl Fn(&mut Recording, usize, &BlockActivations),
    ) -> Slice {
        self.blocks(recording, acts, after_block);
        self.norm_before_head(recording, acts, acts.x_final)
    }

    /// Token ids → the residual stream after the last block.
    pub(super) fn blocks(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        after_block: impl Fn(&mut Recording, usize, &BlockActivations),
    ) {
        self.embed(recording, acts, acts.blocks[0].x);
        for (layer, block) in acts.blocks.iter().enumerate() {
            self.block(recording, acts, layer);
            after_block(recording, layer, block);
        }
    }

    /// logits = norm(x) · W_headᵀ
    pub(super) fn head(&self, recording: &mut Recording, acts: &Activations, x: Slice) {
        let x = self.norm_before_head(recording, acts, x);
        self.all_logits(recording, acts, x);
    }

    fn norm_before_head(&self, recording: &mut Recording, acts: &Activations, x: Slice) -> Slice {
        let params = self.plan.params;
        match self.table.ln_final(params).zip(acts.norm_final) {
            Some((norm, buffers)) => {
                self.norm(recording, acts.n_rows(), &norm, [x, buffers.values, buffers.stats]);
                buffers.values
            }
            None => x,
        }
    }

    /// The logits of all rows, in a buffer for all of them.
    fn all_logits(&self, recording: &mut Recording, acts: &Activations, x: Slice) {
        let n_rows = acts.n_rows();
        let bytes_per_row = 4 * self.plan.vocab_block;
        let most = (self.plan.budget.binding_bytes as usize / bytes_per_row / ROWS_UNIT).max(1) * ROWS_UNIT;
        for rows in pieces(n_rows, most) {
            self.logits_into(recording, acts, rows.of(x, n_rows), (n_rows, rows));
        }
    }

    /// The logits of some rows of x, into `rows` of a buffer of `n_rows` rows, block by block of the vocabulary.
    pub(super) fn logits_into(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        x: Slice,
        (buffer_rows, rows): (usize, Rows),
    ) {
        let head = self.table.lm_head(self.plan.params);
        for block in self.vocabulary_blocks() {
            let logits = logits_block(acts, buffer_rows, rows, block);
            self.linear(recording, rows.n, &self.head_block(&head, block), [x, logits], None);
        }
    }

    /// One block: attention, then the feed-forward network.
    pub(super) fn block(&self, recording: &mut Recording, acts: &Activations, layer: usize) {
        let (block, weights) = (&acts.blocks[layer], self.table.block(layer, self.plan.params));
        self.attention(recording, acts, layer, &weights, block.x);
        // This block's output is the next block's input. Where blocks share their buffers, it goes into the same `x`,
        // which this block no longer needs.
        let out = acts.blocks.get(layer + 1).map_or(acts.x_final, |next| next.x);
        self.feed_forward(recording, acts, block, &weights, Some(out));
    }

    /// What the backward pass of a block needs, without the block's output.
    pub(super) fn block_again(&self, recording: &mut Recording, acts: &Activations, layer: usize) {
        let (block, weights) = (&acts.blocks[layer], self.table.block(layer, self.plan.params));
        self.attention(recording, acts, layer, &weights, block.x);
        // A norm after the sum reads the sum, so that the output is computed too: into the next block's input, which is no longer
        // needed.
        let out = acts.blocks.get(layer + 1).map_or(acts.x_final, |next| next.x);
        self.feed_forward(recording, acts, block, &weights, Some(out).filter(|_| self.post_norm()));
    }

    /// x = E[ids] (+ P[positions])
    pub(super) fn embed(&self, recording: &mut Recording, acts: &Activations, x: Slice) {
        let table = self.table.token_embeddings(self.plan.params);
        let Some(position_table) = self.table.position_embeddings(self.plan.params) else {
            return self.lookup(recording, acts.n_rows(), [table, acts.inputs, x]);
        };
        // The two buffers are free until the first block needs them; a valid model has at least one block.
        let (tokens, positions) = (acts.branch, acts.blocks[0].x_mid);
        self.lookup(recording, acts.n_rows(), [table, acts.inputs, tokens]);
        self.lookup(recording, acts.n_rows(), [position_table, self.position_ids(acts), positions]);
        residual::residual(recording, [tokens, positions, x]);
    }

    /// x_mid = x + W_o · heads(norm(x)), or norm(x + W_o · heads(x))
    fn attention(&self, recording: &mut Recording, acts: &Activations, layer: usize, weights: &BlockSlices, x: Slice) {
        let (block, n_rows) = (&acts.blocks[layer], acts.n_rows());
        let input = self.norm_before(recording, n_rows, weights.ln1, block.norm1, x);
        self.linear(recording, n_rows, &weights.qkv, [input, block.qkv], None);
        if self.model().positions == Positions::Rope {
            rope::rope(recording, [self.cos_sin(acts), block.qkv], self.rotation(acts));
        }
        match (acts.pass, block.weights) {
            (Pass::NextToken, weights) => self.attend_to_cache(recording, acts, layer, weights.unwrap_or(acts.branch)),
            (_, Some(weights)) => self.attend(recording, acts, block, weights),
            (_, None) => {
                let bindings = [block.qkv, block.heads, block.lse];
                let params = self.flash(acts);
                for some in self.sequence_pieces(acts, 2.0) {
                    let slices = bindings.map(|slice| some.of(slice, acts.batch_size));
                    flash_attention(recording, slices, some.n, params);
                }
            }
        }
        if let Some(scale) = acts.head_scale {
            let model = self.model();
            head_scale::head_scale(recording, [scale, block.heads], layer, model.n_heads, model.d_head());
        }
        let norm = weights.ln1.zip(block.norm1);
        self.linear_onto(recording, n_rows, &weights.output, norm, [block.heads, x, block.x_mid]);
    }

    /// heads = softmax(mask(q·kᵀ / √D)) · v, with the weights in memory, where they can be inspected.
    fn attend(&self, recording: &mut Recording, acts: &Activations, block: &BlockActivations, weights: Slice) {
        attention_scores(recording, [block.qkv, weights], acts.batch_size, self.scores(acts, MASKED));
        if let Some(real) = self.plan.real_keys {
            mask::mask(recording, [real.part(0, weights.len), weights], 1.0, MASKED);
        }
        softmax::softmax(recording, weights, self.score_rows(acts));
        weighted_sum(recording, [weights, block.qkv, block.heads], acts.batch_size, self.sums(acts));
    }

    /// As [`Transformer::attend`], for one new position of each text, over the keys and values of the earlier ones.
    fn attend_to_cache(&self, recording: &mut Recording, acts: &Activations, layer: usize, weights: Slice) {
        let (cache, model, block) = (&self.plan.cache, self.model(), &acts.blocks[layer]);
        self.cache(recording, layer, block, acts);
        let params = cached_attention::Params {
            context_length: model.context_length as u32,
            n_heads: model.n_heads as u32,
            n_kv_heads: model.n_kv_heads as u32,
            d_head: model.d_head() as u32,
            q_stride: (model.d_model + 2 * model.d_kv()) as u32,
            scale: self.scale(),
        };
        let bindings = [cache.position, block.qkv, cache.k[layer], cache.v[layer], weights, block.heads];
        cached_attention::cached_attention(recording, bindings, params);
    }

    /// out = x_mid + ffn(norm(x_mid)), or norm(x_mid + ffn(x_mid)); without `out`, only the activations before it.
    fn feed_forward(
        &self,
        recording: &mut Recording,
        acts: &Activations,
        block: &BlockActivations,
        weights: &BlockSlices,
        out: Option<Slice>,
    ) {
        let n_rows = acts.n_rows();
        let input = self.norm_before(recording, n_rows, weights.ln2, block.norm2, block.x_mid);
        self.linear(recording, n_rows, &weights.gate_up, [input, block.gate_up], None);
        match self.model().feed_forward {
            // hidden = SiLU(W1·x) ⊙ W3·x
            FeedForward::Swiglu => swiglu::swiglu(recording, [block.gate_up, block.hidden], n_rows),
            _ => activation(recording, self.activation(), [block.gate_up, block.hidden]),
        }
        let norm = weights.ln2.zip(block.norm2);
        if let Some(out) = out {
            self.linear_onto(recording, n_rows, &weights.w2, norm, [block.hidden, block.x_mid, out]);
        }
    }

    /// The activation of a feed-forward network without a gate.
    pub(super) fn activation(&self) -> Activation {
        match self.model().feed_forward {
            FeedForward::Gelu => Activation::Gelu,
            FeedForward::Silu | FeedForward::Swiglu => Activation::Silu,
        }
    }
}
