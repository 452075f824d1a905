//! Builds the recording of one operation, with its inputs, for a given size.

use glasshead::ops::activation::{self, Activation};
use glasshead::ops::attention_scores::{self, MASKED};
use glasshead::ops::matmul::{Layout, Shape, matmul};
use glasshead::ops::*;

use super::{Case, SIZES};
use crate::common::numbers;

/// A different awkward size for a second dimension.
fn other(i: usize) -> usize {
    SIZES[(i * 3 + 2) % SIZES.len()]
}

pub(super) fn gather(size: usize, i: usize) -> Case {
    let mut case = Case::new(i, 1);
    let (batch_size, n_tokens) = (3, size + 40);
    let tokens = case.ids(n_tokens, 500);
    let starts = case.ids(batch_size, n_tokens - size);
    let [inputs, targets] = [(); 2].map(|()| case.output(batch_size * size));
    let params = gather_batch::Params { batch_size: batch_size as u32, context_length: size as u32 };
    gather_batch::gather_batch(&mut case.recording, [tokens, starts, inputs, targets], params);
    case
}

pub(super) fn embed(size: usize, i: usize) -> Case {
    let (n_tokens, vocab_size, width) = (size, 37, other(i));
    let mut case = Case::new(i, n_tokens);
    let (n, v, c) = (n_tokens as u32, vocab_size as u32, width as u32);
    let params = embedding::Params { n_tokens: n, vocab_size: v, d_model: c, accumulate: 0, first_id: 0 };
    let ids = case.ids(n_tokens, vocab_size);
    let [table, out] = [case.input(vocab_size * width), case.output(n_tokens * width)];
    embedding::embedding(&mut case.recording, [table, ids, out], params);
    let [out_grad, table_grad] = [case.input(n_tokens * width), case.output(vocab_size * width)];
    for accumulate in 0..2 {
        let params = embedding::Params { accumulate, ..params };
        embedding::embedding_grad(&mut case.recording, [out_grad, ids, table_grad], params);
    }
    case
}

/// Sizes that are rounded up to a multiple of `unit`.
pub(super) fn multiply(layout: Layout, unit: usize, size: usize, i: usize) -> Case {
    let [m, n, k] = [size, other(i), SIZES[(i + 5) % SIZES.len()]].map(|size| size.next_multiple_of(unit));
    let shape = Shape { m, n, k };
    let mut case = Case::new(i, shape.k);
    let [a, b, y] = [case.input(shape.m * shape.k), case.input(shape.n * shape.k), case.output(shape.m * shape.n)];
    let base = case.input(shape.m * shape.n);
    matmul(&mut case.recording, layout, [a, b, y], shape, None);
    matmul(&mut case.recording, layout, [a, b, y], shape, Some(base));
    case
}

/// Sizes that are rounded up to a multiple of `unit`.
pub(super) fn linear_grads(unit: usize, size: usize, i: usize) -> Case {
    let [n_rows, d_in, d_out] = [SIZES[(i + 5) % SIZES.len()], size, other(i)].map(|size| size.next_multiple_of(unit));
    let mut case = Case::new(i, n_rows.max(d_out));
    let [x, w, y_grad] = [case.input(n_rows * d_in), case.input(d_out * d_in), case.input(n_rows * d_out)];
    let [x_grad, w_grad] = [case.output(n_rows * d_in), case.output(d_out * d_in)];
    for onto in [[false, false], [true, false], [false, true], [true, true]] {
        linear_grad::linear_grad_onto(&mut case.recording, [x, w, y_grad, x_grad, w_grad], n_rows, onto);
    }
    case
}

pub(super) fn norm(size: usize, i: usize) -> Case {
    let (rows, width) = (other(i), size);
    let mut case = Case::new(i, rows.max(width));
    let mut params = rmsnorm::Params { n_rows: rows as u32, d_model: width as u32, eps: rmsnorm::EPS, accumulate: 0 };
    let [x, gain, y_grad] = [case.input(rows * width), case.input(width), case.input(rows * width)];
    let [y, inv_rms] = [case.output(rows * width), case.output(rows)];
    let [x_grad, gain_grad] = [case.output(rows * width), case.output(width)];
    rmsnorm::rmsnorm(&mut case.recording, [x, gain, y, inv_rms], params);
    for accumulate in 0..2 {
        params.accumulate = accumulate;
        rmsnorm::rmsnorm_grad(&mut case.recording, [x, gain, y_grad, inv_rms, x_grad, gain_grad], params);
    }
    case
}

pub(super) fn layer_norm(size: usize, i: usize) -> Case {
    let (rows, width) = (other(i), size);
    let mut case = Case::new(i, rows.max(width));
    let params = rmsnorm::Params { n_rows: rows as u32, d_model: width as u32, eps: rmsnorm::EPS, accumulate: 0 };
    let [x, gain, y_grad] = [case.input(rows * width), case.input(width), case.input(rows * width)];
    let [y, stats] = [case.output(rows * width), case.output(2 * rows)];
    let [x_grad, gain_grad] = [case.output(rows * width), case.output(width)];
    layernorm::layernorm(&mut case.recording, [x, gain, y, stats], params);
    if width > 1 {
        // The standard deviation of a single number is 0: its gradient is a difference of rounding errors times 1/√ε.
        for accumulate in 0..2 {
            let params = rmsnorm::Params { accumulate, ..params };
            layernorm::layernorm_grad(&mut case.recording, [x, gain, y_grad, stats, x_grad, gain_grad], params);
        }
    }
    case
}

pub(super) fn add_bias(size: usize, i: usize) -> Case {
    let (rows, width) = (other(i), size);
    let mut case = Case::new(i, rows);
    let [b, y, b_grad] = [case.input(width), case.input(rows * width), case.output(width)];
    bias::bias(&mut case.recording, [b, y], rows);
    bias::bias_grad(&mut case.recording, [y, b_grad], rows);
    case
}

/// Two sequences: keys and values of all positions, then those of one more position and its attention.
pub(super) fn cached(size: usize, i: usize) -> Case {
    let (_, n_heads, n_kv_heads) = ATTENTION;
    let mut case = Case::new(i, size);
    let (d_head, positions) = (d_head(i), vec![size as u32 / 2, size as u32 - 1]);
    let (width, q_stride) = (n_kv_heads * d_head, n_heads * d_head + 5);
    let [first, at] = [case.words(vec![0; 2]), case.words(positions)];
    let [q, window, new] = [case.input(2 * q_stride), case.input(2 * size * (width + 3)), case.input(2 * (width + 3))];
    let [k, v] = [(); 2].map(|()| case.output(2 * size * width));
    let [weights, out] = [case.given(vec![0.0; 2 * n_heads * size]), case.output(2 * n_heads * d_head)];
    let rows = |per_sequence: usize| write_rows::Params {
        n_rows: 2 * per_sequence as u32,
        rows_per_sequence: per_sequence as u32,
        table_rows: size as u32,
        width: width as u32,
        stride: width as u32 + 3,
        first_col: 2,
    };
    for cache in [k, v] {
        write_rows::write_rows(&mut case.recording, [first, window, cache], rows(size));
        write_rows::write_rows(&mut case.recording, [at, new, cache], rows(1));
    }
    let params = cached_attention::Params {
        context_length: size as u32,
        n_heads: n_heads as u32,
        n_kv_heads: n_kv_heads as u32,
        d_head: d_head as u32,
        q_stride: q_stride as u32,
        scale: 0.3,
    };
    cached_attention::cached_attention(&mut case.recording, [at, q, k, v, weights, out], params);
    case
}

pub(super) fn activate(size: usize, i: usize) -> Case {
    let mut case = Case::new(i, 1);
    let x = case.given(numbers(i as u64, size).iter().map(|x| 6.0 * x).collect());
    let y_grad = case.input(size);
    for which in [Activation::Silu, Activation::Gelu] {
        let [y, x_grad] = [(); 2].map(|()| case.output(size));
        activation::activation(&mut case.recording, which, [x, y]);
        activation::activation_grad(&mut case.recording, which, [x, y_grad, x_grad]);
    }
    case
}

pub(super) fn accumulate_twice(size: usize, i: usize) -> Case {
    let mut case = Case::new(i, 1);
    let [grads, sums] = [case.input(size), case.output(size)];
    for slot in [1, 2] {
        let step = case.step(slot);
        accumulate::accumulate(&mut case.recording, [step, grads, sums]);
    }
    case
}

pub(super) fn rotate(size: usize, i: usize) -> Case {
    let (n_heads, d_head, batch_size) = (3, 2 * (1 + i), 2);
    let mut case = Case::new(i, 1);
    let table = case.given(rope::cos_sin_table(size, d_head, 10_000.0));
    let stride = (n_heads + 1) * d_head;
    let x = case.input(batch_size * size * stride);
    for direction in [1.0, -1.0] {
        let params = rope::Params {
            n_rows: (batch_size * size) as u32,
            context_length: size as u32,
            d_model: (n_heads * d_head) as u32,
            stride: stride as u32,
            d_head: d_head as u32,
            direction,
        };
        rope::rope(&mut case.recording, [table, x], params);
    }
    case
}

/// Batch size, heads and KV heads of the attention rows.
const ATTENTION: (usize, usize, usize) = (2, 6, 3);
fn d_head(i: usize) -> usize {
    [1, 2, 7, 8, 12, 16, 33, 5][i]
}

pub(super) fn scores(size: usize, i: usize) -> Case {
    let (batch_size, n_heads, n_kv_heads) = ATTENTION;
    let mut case = Case::new(i, d_head(i));
    let len = batch_size * size * d_head(i);
    let qkv = case.input(len * (n_heads + 2 * n_kv_heads));
    for (causal, scale, masked_value) in [(1, 0.3, MASKED), (1, 1.0, 0.0), (0, 0.3, MASKED)] {
        let scores = case.output(batch_size * n_heads * size * size);
        let params = attention_scores::Params {
            context_length: size as u32,
            n_heads: n_heads as u32,
            n_kv_heads: n_kv_heads as u32,
            d_head: d_head(i) as u32,
            causal,
            scale,
            masked_value,
        };
        attention_scores::attention_scores(&mut case.recording, [qkv, scores], batch_size, params);
    }
    case
}

pub(super) fn sum(size: usize, i: usize) -> Case {
    let (batch_size, n_heads, n_kv_heads) = ATTENTION;
    let mut case = Case::new(i, size);
    let len = batch_size * size * d_head(i);
    // The weights of masked pairs are 0, as softmax leaves them.
    let mut weights = numbers(7 + i as u64, batch_size * n_heads * size * size);
    weights.iter_mut().enumerate().filter(|(at, _)| at % size > at / size % size).for_each(|(_, w)| *w = 0.0);
    let (masked, open) = (case.given(weights), case.input(batch_size * n_heads * size * size));
    let qkv = case.input(len * (n_heads + 2 * n_kv_heads));
    for (causal, weights) in [(1, masked), (0, open)] {
        let out = case.output(len * n_heads);
        let params = weighted_sum::Params {
            context_length: size as u32,
            n_heads: n_heads as u32,
            n_kv_heads: n_kv_heads as u32,
            d_head: d_head(i) as u32,
            causal,
        };
        weighted_sum::weighted_sum(&mut case.recording, [weights, qkv, out], batch_size, params);
    }
    case
}

/// With and without the causal mask and the rotation, with one KV head per head and with shared ones, with heads that fit into
/// one part and larger ones.
pub(super) fn flash(size: usize, i: usize) -> Case {
    let (batch_size, n_heads, d_head) = (2, 4, [16, 2, 12, 40, 130, 128, 34, 32][i]);
    let mut case = Case::new(i, size.max(d_head));
    let table = rope::cos_sin_table(size, d_head, 10_000.0);
    for (causal, n_kv_heads) in [(1, n_heads), (0, n_heads / 2)] {
        let sizes = flash_attention::Params::new(size, n_heads, n_kv_heads, d_head);
        let params = flash_attention::Params { causal, rotated: causal, ..sizes };
        let cells = batch_size * size * n_heads;
        let wide = batch_size * size * (n_heads + 2 * n_kv_heads) * d_head;
        let [qkv, out_grad, cos_sin] = [case.input(wide), case.input(cells * d_head), case.given(table.clone())];
        let [out, lse, qkv_grad] = [cells * d_head, cells, wide].map(|len| case.output(len));
        flash_attention::flash_attention(&mut case.recording, [qkv, out, lse], batch_size, params);
        let bindings = [qkv, out, out_grad, lse, cos_sin, qkv_grad];
        flash_attention::flash_attention_grad(&mut case.recording, bindings, batch_size, params);
    }
    case
}

pub(super) fn hide(size: usize, i: usize) -> Case {
    let mut case = Case::new(i, 1);
    let (visible, x) = (case.ids(size, 3), case.input(size));
    mask::mask(&mut case.recording, [visible, x], 0.3, MASKED);
    case
}

pub(super) fn scale_heads(size: usize, i: usize) -> Case {
    let (n_layers, n_heads) = (3, 5);
    let mut case = Case::new(i, 1);
    let (scale, heads) = (case.input(n_layers * n_heads), case.input(size * n_heads * d_head(i)));
    head_scale::head_scale(&mut case.recording, [scale, heads], 2, n_heads, d_head(i));
    case
}

pub(super) fn soften(size: usize, i: usize) -> Case {
    let rows = other(i);
    let mut case = Case::new(i, size);
    // Large and masked scores: the maximum has to be subtracted.
    let spread: Vec<f32> = numbers(i as u64, rows * size).iter().map(|x| 200.0 * x).collect();
    let masked = spread.iter().enumerate().map(|(at, &x)| if at % size > 3 && at % 5 == 0 { MASKED } else { x });
    let x = case.given(masked.collect());
    let params = softmax::Params { n_rows: rows as u32, n_cols: size as u32 };
    softmax::softmax(&mut case.recording, x, params);
    case
}

pub(super) fn gate(size: usize, i: usize) -> Case {
    let rows = other(i);
    let mut case = Case::new(i, 1);
    let [gate_up, hidden_grad] = [case.input(2 * rows * size), case.input(rows * size)];
    let [hidden, gate_up_grad] = [case.output(rows * size), case.output(2 * rows * size)];
    swiglu::swiglu(&mut case.recording, [gate_up, hidden], rows);
    swiglu::swiglu_grad(&mut case.recording, [gate_up, hidden_grad, gate_up_grad], rows);
    case
}

pub(super) fn add(size: usize, i: usize) -> Case {
    let mut case = Case::new(i, 1);
    let [x, branch, out] = [case.input(size), case.input(size), case.output(size)];
    residual::residual(&mut case.recording, [x, branch, out]);
    case
}

pub(super) fn loss(size: usize, i: usize) -> Case {
    let (rows, vocab_size) = (other(i), size);
    let mut case = Case::new(i, rows.max(vocab_size));
    let params = cross_entropy::Params::new(rows, vocab_size);
    let logits = numbers(i as u64, rows * vocab_size).iter().map(|x| 20.0 * x).collect();
    let [logits, targets] = [case.given(logits), case.ids(rows, vocab_size)];
    let [losses, again, ring] = [case.output(rows), case.output(rows), case.output(8)];
    let step = case.step(5);
    cross_entropy::cross_entropy(&mut case.recording, [logits, targets, losses], params);
    cross_entropy::cross_entropy_grad(&mut case.recording, [logits, targets, again], params);
    mean_loss::mean_loss(&mut case.recording, [step, losses, ring]);
    case
}

pub(super) fn weighted_losses(size: usize, i: usize) -> Case {
    let (rows, vocab_size) = (other(i), size);
    let mut case = Case::new(i, rows.max(vocab_size));
    // Narrow blocks, where the vocabulary has several.
    let block = if vocab_size > 64 { 64 } else { vocab_size } as u32;
    let params = cross_entropy::Params { block, ..cross_entropy::Params::new(rows, vocab_size) };
    let logits = numbers(i as u64, rows * vocab_size).iter().map(|x| 20.0 * x).collect();
    let [logits, targets, coefficients] = [case.given(logits), case.ids(rows, vocab_size), case.input(rows)];
    let [losses, entropies, again, entropies_again] = [(); 4].map(|()| case.output(rows));
    let (ring, step) = (case.output(8), case.step(5));
    cross_entropy::token_entropy(&mut case.recording, [logits, targets, losses, entropies], params);
    let bindings = [logits, targets, again, entropies_again, coefficients];
    cross_entropy::weighted_cross_entropy_grad(&mut case.recording, bindings, params);
    mean_loss::weighted_loss(&mut case.recording, [step, losses, coefficients, ring]);
    case
}

pub(super) fn update(size: usize, i: usize) -> Case {
    let len = size * 70; // more than all partial sums process in one round, for the largest
    let mut case = Case::new(i, len);
    let [grads, params, m] = [(); 3].map(|()| case.input(len));
    let v = case.given(numbers(3, len).iter().map(|x| x * x).collect());
    let [sums, norm, ring] = [case.output(clip::PARTIAL_SUMS), case.output(1), case.output(8)];
    let (step, losses) = (case.step(2), case.input(8));
    clip::grad_norm(&mut case.recording, step, grads, [sums, norm, ring, losses]);
    for decay_len in [len, len / 3] {
        adamw::adamw(&mut case.recording, step, norm, [grads, params, m, v], decay_len);
        sgd::sgd(&mut case.recording, step, norm, [grads, params, m], decay_len);
    }
    clip::clip(&mut case.recording, step, grads, norm);
    case
}

pub(super) fn bytes(size: usize, i: usize) -> Case {
    let mut case = Case::new(i, 1);
    let weights = case.given(numbers(i as u64, size).iter().map(|x| x.abs()).collect());
    let words = case.output(size.div_ceil(4) + 3);
    quantize::quantize(&mut case.recording, [weights, words], 3);
    case
}

pub(super) fn entropies(size: usize, i: usize) -> Case {
    let (n_heads, window) = (3, size.min(70));
    let mut case = Case::new(i, window);
    let weights = case.given(numbers(i as u64, n_heads * window * window).iter().map(|x| x.max(0.0)).collect());
    let out = case.output((n_heads + 1) * window + 5);
    let params = row_entropy::Params { n_heads: n_heads as u32, window: window as u32, start: 5 };
    row_entropy::row_entropy(&mut case.recording, [weights, out], params);
    case
}

pub(super) fn chains(size: usize, i: usize) -> Case {
    let mut case = Case::new(i, 32);
    let out = case.output(size);
    peak::peak(&mut case.recording, out, 5);
    case
}

/// Rows that fill the tiles of fusions.
fn whole_tiles(size: usize) -> usize {
    size.next_multiple_of(64)
}

pub(super) fn norm_then_linear(size: usize, i: usize) -> Case {
    let [m, n, k] =
        [whole_tiles(other(i)), 3 * size.next_multiple_of(4), SIZES[(i + 5) % SIZES.len()].next_multiple_of(4)];
    let mut case = Case::new(i, k);
    let [x, gain, w, cos_sin] = [m * k, k, n * k, 32 * 4].map(|len| case.input(len));
    let [values, stats, y] = [m * k, m, m * n].map(|len| case.output(len));
    let params = rmsnorm::Params { n_rows: m as u32, d_model: k as u32, eps: rmsnorm::EPS, accumulate: 0 };
    rmsnorm::rmsnorm(&mut case.recording, [x, gain, values, stats], params);
    matmul(&mut case.recording, Layout::Nt, [values, w, y], Shape { m, n, k }, None);
    if i.is_multiple_of(2) {
        let [n_rows, d_model, stride] = [m, 2 * n / 3, n].map(|size| size as u32);
        let params = rope::Params { n_rows, context_length: 32, d_model, stride, d_head: 4, direction: 1.0 };
        rope::rope(&mut case.recording, [cos_sin, y], params);
    }
    case
}

pub(super) fn gate_then_linear(size: usize, i: usize) -> Case {
    let [m, n, k] = [whole_tiles(other(i)), SIZES[(i + 5) % SIZES.len()].next_multiple_of(4), size.next_multiple_of(4)];
    let mut case = Case::new(i, k);
    let [gate_up, w, base] = [2 * m * k, n * k, m * n].map(|len| case.input(len));
    let [hidden, y] = [m * k, m * n].map(|len| case.output(len));
    swiglu::swiglu(&mut case.recording, [gate_up, hidden], m);
    let base = i.is_multiple_of(2).then_some(base);
    matmul(&mut case.recording, Layout::Nt, [hidden, w, y], Shape { m, n, k }, base);
    case
}

pub(super) fn grads_through_gate(size: usize, i: usize) -> Case {
    let [n_rows, d_in, d_out] = [other(i), size, SIZES[(i + 5) % SIZES.len()]].map(|size| size.next_multiple_of(4));
    let mut case = Case::new(i, n_rows.max(d_out));
    let [x, w, y_grad, gate_up] =
        [n_rows * d_in, d_out * d_in, n_rows * d_out, 2 * n_rows * d_in].map(|len| case.input(len));
    let [x_grad, w_grad, gate_up_grad] = [n_rows * d_in, d_out * d_in, 2 * n_rows * d_in].map(|len| case.output(len));
    for onto in [[false, false], [false, true]] {
        linear_grad::linear_grad_onto(&mut case.recording, [x, w, y_grad, x_grad, w_grad], n_rows, onto);
        swiglu::swiglu_grad(&mut case.recording, [gate_up, x_grad, gate_up_grad], n_rows);
    }
    case
}
