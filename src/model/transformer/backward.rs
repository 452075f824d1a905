//! From the gradient of the logits to the gradients of all parameters, block by block from the end.
//!
//! The gradient of the residual stream is in `gradients.stream`. A branch's output is added to the stream, so the
//! stream's gradient is the branch's output gradient too; the gradient of the branch's input is added to it.
//!
//! - Norms before the branches: the input gradient is written to `gradients.branch`, passes through the norm, and is
//!   added to `gradients.stream`.
//! - No norms: it is added to `gradients.stream` directly.
//! - Norms after the sums: the stream's gradient first passes through the norm, from one of the two buffers into the
//!   other; the two norms of a block return it to `gradients.stream`.

use super::pieces::{Rows, logits_block};
use super::{BlockActivations, Transformer};
use crate::config::FeedForward;
use crate::gpu::recording::{Recording, Slice};
use crate::model::memory::NormActivations;
use crate::model::params::{BlockSlices, NormSlices};
use crate::ops::activation::activation_grad;
use crate::ops::flash_attention::flash_attention_grad;
use crate::ops::linear_grad::linear_grad_onto;
use crate::ops::swiglu;

/// A norm with its gradients and the data of its forward pass.
#[derive(Clone, Copy)]
struct NormParts {
    weights: NormSlices,
    grads: NormSlices,
    acts: NormActivations,
}

impl NormParts {
    fn new(weights: Option<NormSlices>, grads: Option<NormSlices>, acts: Option<NormActivations>) -> Option<Self> {
        Some(Self { weights: weights?, grads: grads?, acts: acts? })
    }
}

/// Buffers of a branch: the gradient of its output, and that of its input.
#[derive(Clone, Copy)]
struct Branch {
    out_grad: Slice,
    in_grad: Slice,
    /// Whether the first contribution to `in_grad` is added to its values, as all later ones are.
    accumulate: bool,
}

impl Transformer<'_> {
    pub(super) fn backward(&self, recording: &mut Recording) {
        let (plan, acts, grad) = (self.plan, &self.plan.batch, &self.plan.gradients);
        let (params, grads) = (plan.params, plan.grads);
        let norm = NormParts::new(self.table.ln_final(params), self.table.ln_final(grads), acts.norm_final);
        // head_in = norm(x_final)
        if let Some(norm) = norm {
            self.norm_parts_grad(recording, norm, [acts.x_final, grad.branch, grad.stream], false);
        }
        for (layer, block) in acts.blocks.iter().enumerate().rev() {
            self.recompute(recording, layer);
            let weights = [self.table.block(layer, params), self.table.block(layer, grads)];
            self.feed_forward_grad(recording, block, &weights);
            self.attention_grad(recording, block, &weights);
        }
        // x = E[ids] + P[positions]. A tied embedding's gradient already contains the head's part.
        let tied = self.model().tied_embeddings;
        self.lookup_grad(recording, [grad.stream, acts.inputs, self.table.token_embeddings(grads)], tied);
        if let Some(table_grad) = self.table.position_embeddings(grads) {
            self.lookup_grad(recording, [grad.stream, self.position_ids(acts), table_grad], false);
        }
    }

    /// Before the backward pass of a segment's last block: the segment's activations once more, from its checkpoint. Those of the
    /// last segment are still in memory.
    fn recompute(&self, recording: &mut Recording, layer: usize) {
        let acts = &self.plan.batch;
        let ends = (layer + 1).is_multiple_of(acts.segment) && layer + 1 < acts.blocks.len();
        if ends {
            (layer + 1 - acts.segment..layer).for_each(|earlier| self.block(recording, acts, earlier));
            self.block_again(recording, acts, layer);
        }
    }

    /// From the gradient of the logits of some rows, logits = head_in · W_headᵀ, to those of head_in and W_head.
    pub(super) fn head_grad(&self, recording: &mut Recording, rows: Rows) {
        let (plan, acts, grad) = (self.plan, &self.plan.batch, &self.plan.gradients);
        let (head_in, head_in_grad) = match acts.norm_final.filter(|_| self.table.ln_final(plan.params).is_some()) {
            Some(norm) => (norm.values, grad.branch),
            None => (acts.x_final, grad.stream),
        };
        let [x, x_grad] = [head_in, head_in_grad].map(|slice| rows.of(slice, acts.n_rows()));
        let (head, head_grads) = (self.table.lm_head(plan.params), self.table.lm_head(plan.grads));
        for block in self.vocabulary_blocks() {
            let logits_grad = logits_block(acts, rows.n, Rows { first: 0, n: rows.n }, block);
            let [weight, w_grad] = [&head, &head_grads].map(|of| self.head_block(of, block).weight);
            let onto = [block.first > 0, rows.first > 0];
            linear_grad_onto(recording, [x, weight, logits_grad, x_grad, w_grad], rows.n, onto);
        }
    }

    /// out = x_mid + ffn(norm(x_mid)), or norm(x_mid + ffn(x_mid))
    fn feed_forward_grad(
        &self,
        recording: &mut Recording,
        block: &BlockActivations,
        [weights, grads]: &[BlockSlices; 2],
    ) {
        let grad = &self.plan.gradients;
        let norm = NormParts::new(weights.ln2, grads.ln2, block.norm2);
        let branch = self.enter_branch(recording, norm, [grad.stream, grad.branch]);
        let input = self.branch_input(block.norm2, block.x_mid);
        // branch = hidden · W2ᵀ
        self.linear_grad(recording, [&weights.w2, &grads.w2], [block.hidden, branch.out_grad, grad.hidden], false);
        // hidden = SiLU(gate) ⊙ up, or activation(gate); gate_up = input · W_gate_upᵀ
        match self.model().feed_forward {
            FeedForward::Swiglu => {
                let bindings = [block.gate_up, grad.hidden, grad.gate_up];
                swiglu::swiglu_grad(recording, bindings, self.plan.batch.n_rows());
            }
            _ => activation_grad(recording, self.activation(), [block.gate_up, grad.hidden, grad.gate_up]),
        }
        let gate_up = [&weights.gate_up, &grads.gate_up];
        self.linear_grad(recording, gate_up, [input, grad.gate_up, branch.in_grad], branch.accumulate);
        self.leave_branch(recording, norm, block.x_mid);
    }

    /// x_mid = x + W_o · heads(norm(x)), or norm(x + W_o · heads(x))
    fn attention_grad(&self, recording: &mut Recording, block: &BlockActivations, [weights, grads]: &[BlockSlices; 2]) {
        let grad = &self.plan.gradients;
        let norm = NormParts::new(weights.ln1, grads.ln1, block.norm1);
        // A norm after the feed-forward network has left the stream's gradient in the other buffer.
        let swapped = self.post_norm() && norm.is_some();
        let streams = if swapped { [grad.branch, grad.stream] } else { [grad.stream, grad.branch] };
        let branch = self.enter_branch(recording, norm, streams);
        let input = self.branch_input(block.norm1, block.x);
        // branch = heads · W_oᵀ
        let output = [&weights.output, &grads.output];
        self.linear_grad(recording, output, [block.heads, branch.out_grad, grad.heads], false);
        // heads = softmax(mask(q·kᵀ / √D)) · v, q and k rotated: to the gradients of q, k and v before rotation
        let acts = &self.plan.batch;
        let bindings = [block.qkv, block.heads, grad.heads, block.lse, self.cos_sin(acts), grad.qkv];
        let params = self.flash(acts);
        for some in self.sequence_pieces(acts, 5.0) {
            let part = |slice: Slice| some.of(slice, acts.batch_size);
            let [qkv, heads, heads_grad, lse, cos_sin, qkv_grad] = bindings;
            let slices = [part(qkv), part(heads), part(heads_grad), part(lse), cos_sin, part(qkv_grad)];
            flash_attention_grad(recording, slices, some.n, params);
        }
        // qkv = input · W_qkvᵀ
        let qkv = [&weights.qkv, &grads.qkv];
        self.linear_grad(recording, qkv, [input, grad.qkv, branch.in_grad], branch.accumulate);
        self.leave_branch(recording, norm, block.x);
    }

    /// Prepares a branch; the stream's gradient is in the first buffer, the second is free.
    fn enter_branch(&self, recording: &mut Recording, norm: Option<NormParts>, [stream, other]: [Slice; 2]) -> Branch {
        match norm {
            Some(norm) if self.post_norm() => {
                self.norm_parts_grad(recording, norm, [norm.acts.values, stream, other], false);
                Branch { out_grad: other, in_grad: other, accumulate: true }
            }
            Some(_) => Branch { out_grad: stream, in_grad: other, accumulate: false },
            None => Branch { out_grad: stream, in_grad: stream, accumulate: true },
        }
    }

    /// Backward through a norm that comes before the branch and read `x`.
    fn leave_branch(&self, recording: &mut Recording, norm: Option<NormParts>, x: Slice) {
        let grad = &self.plan.gradients;
        if let Some(norm) = norm.filter(|_| !self.post_norm()) {
            self.norm_parts_grad(recording, norm, [x, grad.branch, grad.stream], true);
        }
    }

    fn norm_parts_grad(
        &self,
        recording: &mut Recording,
        NormParts { weights, grads, acts }: NormParts,
        [x, y_grad, x_grad]: [Slice; 3],
        accumulate: bool,
    ) {
        self.norm_grad(recording, [&weights, &grads], [x, acts.stats, y_grad, x_grad], accumulate);
    }
}
