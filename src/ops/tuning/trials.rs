//! Inputs on which kernel variants are compared and timed.

use crate::gpu::recording::{Buffers, Recording, Slice};
use crate::ops::matmul::{Layout, Shape};
use crate::ops::{
    bias, clip, cross_entropy, embedding, flash_attention, layernorm, linear_grad, matmul, rmsnorm, rope, swiglu,
};

/// A recording of the kernel that variants replace, and its inputs.
pub struct Trial {
    pub(super) buffers: Buffers,
    pub(super) recording: Recording,
    pub(super) inputs: Vec<Slice>,
    /// Grows with the square root of the number of terms, like rounding errors.
    pub(super) tolerance: f32,
}

impl Trial {
    fn new(name: &'static str, terms: usize) -> Self {
        let tolerance = 4e-6 * (1.0 + (terms as f32).sqrt());
        Self { buffers: Buffers::default(), recording: Recording::new(name), inputs: Vec::new(), tolerance }
    }

    /// The trial with another recording over its buffers.
    pub(super) fn map(self, change: impl FnOnce(Recording) -> Recording) -> Self {
        Self { recording: change(self.recording), ..self }
    }

    fn input(&mut self, len: usize) -> Slice {
        let slice = self.buffers.add("trial", len);
        self.inputs.push(slice);
        slice
    }
}

/// All sizes 1, an edge in every direction, several tiles, a single row.
pub(super) const GATE: [Shape; 5] = [
    ONE_ROW,
    Shape { m: 4, n: 4, k: 4 },
    Shape { m: 36, n: 68, k: 12 },
    Shape { m: 32, n: 64, k: 32 },
    Shape { m: 100, n: 132, k: 260 },
];

/// A matmul with the shape of a dispatch, reduced so that one run takes at most `max_flops` operations.
pub(super) fn product_like(params: &[u8], max_flops: f64) -> Trial {
    let matmul::Params { m, n, k, .. } = bytemuck::pod_read_unaligned(params);
    let [m, n, k] = shrink([m, n, k], max_flops);
    product(Shape { m, n, k }, false)
}

/// As [`product_like`], for the gradients of a linear layer.
pub(super) fn gradients_like(params: &[u8], max_flops: f64) -> Trial {
    let linear_grad::Params { n_rows, d_in, d_out, .. } = bytemuck::pod_read_unaligned(params);
    let [m, n, k] = shrink([n_rows, d_in, d_out], max_flops / 2.0);
    gradients(Shape { m, n, k }, false)
}

/// Halves the largest size, which stays a multiple of four, until a matmul of these sizes takes at most `max_flops`.
fn shrink(sizes: [u32; 3], max_flops: f64) -> [usize; 3] {
    let mut sizes = sizes.map(|size| size as usize);
    while sizes.iter().map(|&size| size as f64).product::<f64>() * 2.0 > max_flops {
        let Some(largest) = sizes.iter_mut().max().filter(|size| **size >= 128) else { break };
        *largest = (*largest / 2).next_multiple_of(4);
    }
    sizes
}

/// The shape of generating one token.
pub(super) const ONE_ROW: Shape = Shape { m: 1, n: 512, k: 128 };

pub(super) fn product(shape: Shape, onto: bool) -> Trial {
    let Shape { m, n, k } = shape;
    let mut trial = Trial::new("product", k);
    let [a, b, base, y] = [m * k, n * k, m * n, m * n].map(|len| trial.input(len));
    matmul::matmul(&mut trial.recording, Layout::Nt, [a, b, y], shape, None);
    if onto {
        matmul::matmul(&mut trial.recording, Layout::Nt, [a, b, y], shape, Some(base));
    }
    trial
}

pub(super) fn gradients(Shape { m, n, k }: Shape, accumulate: bool) -> Trial {
    let mut trial = Trial::new("gradients", m.max(k));
    let bindings = [m * n, k * n, m * k, m * n, k * n].map(|len| trial.input(len));
    linear_grad::linear_grad(&mut trial.recording, bindings, m, accumulate);
    trial
}

/// Attention of two sequences with four query heads, of which two share a KV head.
pub(super) fn attention(positions: usize, d_head: usize, causal: u32) -> Trial {
    let mut trial = Trial::new("attention", positions.max(d_head));
    let params = flash_attention::Params { causal, ..flash_attention::Params::new(positions, 4, 2, d_head) };
    let [qkv, out] = [8, 4].map(|heads| trial.input(2 * positions * heads * d_head));
    let lse = trial.input(2 * positions * 4);
    flash_attention::flash_attention(&mut trial.recording, [qkv, out, lse], 2, params);
    trial
}

/// Attention with the heads and positions of a dispatch, reduced to at most `max_flops` operations.
pub(super) fn attention_like(params: &[u8], max_flops: f64) -> Trial {
    let [positions, d_head] = attention_sizes(params, max_flops / 2.0);
    attention(positions, d_head, 1)
}

/// As [`attention_like`], for the gradient.
pub(super) fn attention_grad_like(params: &[u8], max_flops: f64) -> Trial {
    let [positions, d_head] = attention_sizes(params, max_flops / 5.0);
    attention_grad(positions, d_head, 1)
}

/// Number of positions and head size for trials of two sequences with four heads, where each matmul takes at most
/// `max_flops` operations.
fn attention_sizes(params: &[u8], max_flops: f64) -> [usize; 2] {
    let flash_attention::Params { context_length, d_head, .. } = bytemuck::pod_read_unaligned(params);
    let (mut positions, d_head) = (context_length as usize, d_head as usize);
    // Half of the pairs are visible.
    while positions > 64 && 8.0 * (positions * positions) as f64 * d_head as f64 > max_flops {
        positions /= 2;
    }
    [positions, d_head]
}

pub(super) fn attention_grad(positions: usize, d_head: usize, rotated: u32) -> Trial {
    let mut trial = Trial::new("gradient of attention", positions.max(d_head));
    let causal = rotated;
    let params = flash_attention::Params { causal, rotated, ..flash_attention::Params::new(positions, 4, 2, d_head) };
    let [qkv, out, out_grad] = [8, 4, 4].map(|heads| trial.input(2 * positions * heads * d_head));
    let [lse, cos_sin] = [2 * positions * 4, positions * d_head].map(|len| trial.input(len));
    let qkv_grad = trial.input(qkv.len);
    let bindings = [qkv, out, out_grad, lse, cos_sin, qkv_grad];
    flash_attention::flash_attention_grad(&mut trial.recording, bindings, 2, params);
    trial
}

fn norm_params(n_rows: usize, d_model: usize) -> rmsnorm::Params {
    rmsnorm::Params { n_rows: n_rows as u32, d_model: d_model as u32, eps: rmsnorm::EPS, accumulate: 1 }
}

pub(super) fn norm(n: usize, c: usize) -> Trial {
    let mut trial = Trial::new("norm", c);
    let bindings = [n * c, c, n * c, n].map(|len| trial.input(len));
    rmsnorm::rmsnorm(&mut trial.recording, bindings, norm_params(n, c));
    trial
}

/// As [`norm`] with the sizes of a dispatch, reduced to at most `max_flops` operations.
pub(super) fn norm_like(params: &[u8], max_flops: f64) -> Trial {
    let [n, c] = norm_sizes(params, max_flops);
    norm(n, c)
}

pub(super) fn norm_grad(n: usize, c: usize) -> Trial {
    let mut trial = Trial::new("gradient of the norm", n.max(c));
    let bindings = [n * c, c, n * c, n, n * c, c].map(|len| trial.input(len));
    rmsnorm::rmsnorm_grad(&mut trial.recording, bindings, norm_params(n, c));
    trial
}

pub(super) fn layer_norm_grad(n: usize, c: usize) -> Trial {
    let mut trial = Trial::new("gradient of the norm", n.max(c));
    let bindings = [n * c, c, n * c, 2 * n, n * c, c].map(|len| trial.input(len));
    layernorm::layernorm_grad(&mut trial.recording, bindings, norm_params(n, c));
    trial
}

pub(super) fn column_sums(n: usize, c: usize) -> Trial {
    let mut trial = Trial::new("gradient of a bias", n);
    let bindings = [n * c, c].map(|len| trial.input(len));
    bias::bias_grad(&mut trial.recording, bindings, n);
    trial
}

/// As [`norm_grad`] with the sizes of a dispatch, reduced to at most `max_flops` operations.
pub(super) fn norm_grad_like(params: &[u8], max_flops: f64) -> Trial {
    let [n, c] = norm_sizes(params, max_flops);
    norm_grad(n, c)
}

/// As [`norm_grad_like`], for LayerNorm.
pub(super) fn layer_norm_grad_like(params: &[u8], max_flops: f64) -> Trial {
    let [n, c] = norm_sizes(params, max_flops);
    layer_norm_grad(n, c)
}

/// As [`norm_grad_like`], for the gradient of a bias.
pub(super) fn column_sums_like(params: &[u8], max_flops: f64) -> Trial {
    let bias::Params { n_rows, n_cols } = bytemuck::pod_read_unaligned(params);
    let [n, c] = fewer_rows(n_rows, n_cols, max_flops);
    column_sums(n, c)
}

fn norm_sizes(params: &[u8], max_flops: f64) -> [usize; 2] {
    let rmsnorm::Params { n_rows, d_model, .. } = bytemuck::pod_read_unaligned(params);
    fewer_rows(n_rows, d_model, max_flops)
}

/// Halves the number of rows until about ten operations per element are at most `max_flops`.
fn fewer_rows(n_rows: u32, n_cols: u32, max_flops: f64) -> [usize; 2] {
    let mut n_rows = n_rows;
    while n_rows > 64 && 10.0 * f64::from(n_rows) * f64::from(n_cols) > max_flops {
        n_rows /= 2;
    }
    [n_rows, n_cols].map(|size| size as usize)
}

/// All targets are token 0.
pub(super) fn loss(n: usize, v: usize) -> Trial {
    let mut trial = Trial::new("loss", v);
    let logits = trial.input(n * v);
    let targets = trial.buffers.add("targets", n);
    let losses = trial.input(n);
    let params = cross_entropy::Params::new(n, v);
    cross_entropy::cross_entropy_grad(&mut trial.recording, [logits, targets, losses], params);
    trial
}

/// As [`loss`] with the sizes of a dispatch, reduced to at most `max_flops` operations.
pub(super) fn loss_like(params: &[u8], max_flops: f64) -> Trial {
    let cross_entropy::Params { n_rows, vocab_size, .. } = bytemuck::pod_read_unaligned(params);
    let [n, v] = fewer_rows(n_rows, vocab_size, max_flops);
    loss(n, v)
}

/// All tokens are token 0.
pub(super) fn table_grad(n: usize, v: usize, c: usize) -> Trial {
    let mut trial = Trial::new("gradient of the embedding", n);
    let out_grad = trial.input(n * c);
    let ids = trial.buffers.add("ids", n);
    let table_grad = trial.input(v * c);
    let params =
        embedding::Params { n_tokens: n as u32, vocab_size: v as u32, d_model: c as u32, accumulate: 0, first_id: 0 };
    embedding::embedding_grad(&mut trial.recording, [out_grad, ids, table_grad], params);
    trial
}

pub(super) fn squares(len: usize) -> Trial {
    let mut trial = Trial::new("sums of squares", len / clip::PARTIAL_SUMS);
    let grads = trial.input(len);
    let sums = trial.input(clip::PARTIAL_SUMS);
    clip::squared_sums(&mut trial.recording, grads, sums);
    trial
}

/// RMSNorm and a linear layer with `n` outputs of `k` inputs, over `m` rows.
pub(super) fn norm_and_linear([m, n, k]: [usize; 3]) -> Trial {
    let mut trial = Trial::new("norm and linear layer", k);
    let [x, gain, w] = [m * k, k, n * k].map(|len| trial.input(len));
    let [values, stats, y] = [m * k, m, m * n].map(|len| trial.input(len));
    let params = rmsnorm::Params { accumulate: 0, ..norm_params(m, k) };
    rmsnorm::rmsnorm(&mut trial.recording, [x, gain, values, stats], params);
    matmul::matmul(&mut trial.recording, Layout::Nt, [values, w, y], Shape { m, n, k }, None);
    trial
}

/// The same with rotated heads in the first two thirds of the outputs, in sequences of 32 positions.
pub(super) fn norm_linear_and_rope([m, n, k]: [usize; 3], d_head: usize) -> Trial {
    let mut trial = norm_and_linear([m, n, k]);
    let cos_sin = trial.input(32 * d_head);
    let y = trial.inputs[5];
    let [n_rows, stride, d_head, d_model] = [m, n, d_head, 2 * n / 3 / d_head * d_head].map(|size| size as u32);
    let params = rope::Params { n_rows, context_length: 32, d_model, stride, d_head, direction: 1.0 };
    rope::rope(&mut trial.recording, [cos_sin, y], params);
    trial
}

/// SwiGLU and a linear layer with `n` outputs of `k` inputs, added to a base.
pub(super) fn gate_and_linear([m, n, k]: [usize; 3]) -> Trial {
    let mut trial = Trial::new("gate and linear layer", k);
    let [gate_up, w, base, y, hidden] = [2 * m * k, n * k, m * n, m * n, m * k].map(|len| trial.input(len));
    swiglu::swiglu(&mut trial.recording, [gate_up, hidden], m);
    matmul::matmul(&mut trial.recording, Layout::Nt, [hidden, w, y], Shape { m, n, k }, Some(base));
    trial
}

/// The gradients of a linear layer from `d_in` to `d_out` and of the gate before it.
pub(super) fn grads_through_gate([n_rows, d_in, d_out]: [usize; 3]) -> Trial {
    let mut trial = Trial::new("gradients through the gate", n_rows.max(d_out));
    let [x, w, y_grad] = [n_rows * d_in, d_out * d_in, n_rows * d_out].map(|len| trial.input(len));
    let [hidden_grad, w_grad] = [n_rows * d_in, d_out * d_in].map(|len| trial.input(len));
    let [gate_up, gate_up_grad] = [(); 2].map(|()| trial.input(2 * n_rows * d_in));
    let bindings = [x, w, y_grad, hidden_grad, w_grad];
    linear_grad::linear_grad(&mut trial.recording, bindings, n_rows, false);
    swiglu::swiglu_grad(&mut trial.recording, [gate_up, hidden_grad, gate_up_grad], n_rows);
    trial
}
