//! Attention with W_q, W_k and W_v: projections, scale, causal mask, several heads.

use super::plain::embeddings;
use super::sheet::{At, Desk, m, s, t};
use super::{D_IN, N_TOKENS};
use crate::gpu::recording::Slice;
use crate::ops::attention_scores::{self, MASKED, attention_scores};
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::softmax::{self, softmax};
use crate::ops::weighted_sum::{self, weighted_sum};
use crate::rng::torch::TorchRng;
use crate::types::lesson::{Axis, Made, MaskPlace, Weights};

/// d_k of the lesson's queries and keys.
const D_OUT: usize = 2;

/// The total width of all heads.
const WIDTH: usize = 4;

/// X, the three weight matrices, and their products with X.
struct Projected {
    x: At,
    weights: [At; 3],
    qkv: [At; 3],
    module: bool,
}

fn project(desk: &mut Desk, x: &[f32], Weights { seed, module }: Weights) -> Projected {
    let x = embeddings(desk, x);
    let mut rng = TorchRng::new(seed);
    let axes = [Axis::Numbers, Axis::Numbers];
    let weights = ["W_q", "W_k", "W_v"].map(|name| match module {
        true => desk.given(name, &rng.linear(D_IN, D_OUT), D_IN, axes.clone(), Made::Drawn),
        false => desk.given(name, &rng.randn(D_IN * D_OUT), D_OUT, axes.clone(), Made::Drawn),
    });
    let names = ["Q", "K", "V"];
    let qkv = [0, 1, 2].map(|i| desk.product(names[i], [x, weights[i]], module));
    Projected { x, weights, qkv, module }
}

/// 1/√d_k
fn scale(d_k: usize) -> f32 {
    1.0 / (d_k as f32).sqrt()
}

/// Q, K and V.
pub(super) fn projections(desk: &mut Desk, x: &[f32], weights: Weights) {
    let projected = project(desk, x, weights);
    project_lines(desk, &projected);
}

fn project_lines(desk: &mut Desk, projected: &Projected) {
    for (w, result) in projected.weights.into_iter().zip(projected.qkv) {
        let w = if projected.module { t(w) } else { m(w) };
        desk.line([m(projected.x), s("·"), w, s("="), m(result)]);
    }
}

/// softmax(Q·Kᵀ / √d_k) · V
pub(super) fn attention(desk: &mut Desk, x: &[f32], weights: Weights, scaled: bool) {
    let projected = project(desk, x, weights);
    attend(desk, projected.qkv, scaled);
}

fn attend(desk: &mut Desk, [q, k, v]: [At; 3], scaled: bool) {
    let scores = desk.product("S", [q, k], true);
    let of = if scaled { desk.scaled("S / \\sqrt{d_k}", scores, scale(D_OUT), false) } else { scores };
    let weights = desk.softmax("A", of);
    let context = desk.product("Z", [weights, v], false);
    desk.line([m(q), s("·"), t(k), s("="), m(scores)]);
    let how = if scaled { "softmax of scores ÷ √2:" } else { "softmax of scores as they are:" };
    desk.line([s(how), m(weights), s("·"), m(v), s("="), m(context)]);
}

/// Projections and attention, with the weights of three `Linear(3, 2)`.
pub(super) fn module(desk: &mut Desk, x: &[f32], seed: u64) {
    let projected = project(desk, x, Weights { seed, module: true });
    project_lines(desk, &projected);
    attend(desk, projected.qkv, true);
}

/// Attention without a mask, and how much of each row's weight is on later positions.
pub(super) fn leak(desk: &mut Desk, x: &[f32], weights: Weights) {
    let [q, k, _] = project(desk, x, weights).qkv;
    let scores = desk.product("S", [q, k], true);
    let scaled = desk.scaled("S / \\sqrt{d_k}", scores, scale(D_OUT), false);
    let all = desk.softmax("A", scaled);
    let ahead = desk.after("A_{later}", all, N_TOKENS, Made::Ahead { of: all }, move |done| {
        let cells = done[all].values.iter().enumerate();
        cells.map(|(cell, &weight)| if cell % N_TOKENS > cell / N_TOKENS { weight } else { 0.0 }).collect()
    });
    let sums = desk.after("\\sum", ahead, 1, Made::RowSum { of: ahead }, move |done| {
        done[ahead].values.chunks(N_TOKENS).map(|row| row.iter().sum()).collect()
    });
    desk.line([s("without the mask:"), m(all), s("of it to later tokens"), m(ahead), s("="), m(sums)]);
}

/// One query and six keys, all standard normal.
pub(super) fn saturation(desk: &mut Desk, seed: u64, d_k: usize) {
    let mut rng = TorchRng::new(seed);
    let axes = [Axis::Numbers, Axis::Numbers];
    let q = desk.given("q", &rng.randn(d_k), d_k, axes.clone(), Made::Drawn);
    let k = desk.given("K", &rng.randn(N_TOKENS * d_k), d_k, axes, Made::Drawn);
    let scores = desk.product("q K^T", [q, k], true);
    let scaled = desk.scaled("q K^T / \\sqrt{d_k}", scores, scale(d_k), false);
    for (of, name) in [(scores, "softmax(q K^T)"), (scaled, "softmax(q K^T / \\sqrt{d_k})")] {
        let weights = desk.softmax(name, of);
        desk.line([m(of), s("softmax"), m(weights)]);
    }
}

/// The causal mask before softmax, compared with the chosen alternative.
pub(super) fn masked(desk: &mut Desk, x: &[f32], weights: Weights, beside: MaskPlace) {
    let [q, k, _] = project(desk, x, weights).qkv;
    let scores = desk.product("S", [q, k], true);
    let hidden = desk.scaled("S / \\sqrt{d_k} + M", scores, scale(D_OUT), true);
    let right = desk.softmax("A", hidden);
    desk.line([m(hidden), s("softmax"), m(right)]);
    if beside == MaskPlace::BeforeSoftmax {
        return;
    }
    let scaled = desk.scaled("S / \\sqrt{d_k}", scores, scale(D_OUT), false);
    let soft = desk.softmax("softmax(S / \\sqrt{d_k})", scaled);
    let made = Made::Masked { of: soft, infinite: false };
    let cut = desk.after("A_{late}", soft, N_TOKENS, made, move |done| {
        let cells = done[soft].values.iter().enumerate();
        cells.map(|(cell, &weight)| if cell % N_TOKENS > cell / N_TOKENS { 0.0 } else { weight }).collect()
    });
    let sums = desk.after("\\sum", cut, 1, Made::RowSum { of: cut }, move |done| {
        done[cut].values.chunks(N_TOKENS).map(|row| row.iter().sum()).collect()
    });
    desk.line([m(soft), s("then the mask"), m(cut), s("rows sum to"), m(sums)]);
    if beside == MaskPlace::Renormalised {
        let again = desk.after("A_{again}", cut, N_TOKENS, Made::Share { of: cut }, move |done| {
            let rows = done[cut].values.chunks(N_TOKENS).zip(&done[sums].values);
            rows.flat_map(|(row, &sum)| row.iter().map(move |weight| weight / sum)).collect()
        });
        desk.line([m(cut), s("÷ their sums"), m(again)]);
    }
}

/// Data that all heads share.
struct Heads {
    /// The matrices Q, K and V of all heads.
    at: [At; 3],
    /// Rows of queries, keys and values.
    qkv: Slice,
    /// Softmax weights of all heads (H, T, T).
    weights: Slice,
    /// Outputs of all heads (T, H, D).
    joined: Slice,
    d_head: usize,
}

/// Cells of Q, K or V in rows of qkv, from a column on.
fn part_of(qkv: Slice, which: usize, first: usize, width: usize) -> (Slice, Vec<usize>) {
    let cell = move |i: usize| i / width * 3 * WIDTH + which * WIDTH + first + i % width;
    (qkv, (0..N_TOKENS * width).map(cell).collect())
}

/// Splits into heads, attends, concatenates, and multiplies by W_o.
pub(super) fn heads(desk: &mut Desk, x: &[f32], seed: u64, n_heads: usize) {
    let x = embeddings(desk, x);
    let mut rng = TorchRng::new(seed);
    let axes = [Axis::Numbers, Axis::Numbers];
    let sizes = [("W_q", D_IN), ("W_k", D_IN), ("W_v", D_IN), ("W_o", WIDTH)];
    let drawn = sizes.map(|(_, d_in)| rng.linear(d_in, WIDTH));
    let given = |i: usize| desk.given(sizes[i].0, &drawn[i], sizes[i].1, axes.clone(), Made::Drawn);
    let weights: [At; 4] = [0, 1, 2, 3].map(given);
    // As in a model, the kernels read rows of queries, keys and values: one matmul with the three matrices stacked.
    let stacked = desk.words(drawn[..3].iter().flatten().map(|weight| weight.to_bits()).collect());
    let qkv = desk.zeros(N_TOKENS * 3 * WIDTH);
    let shape = Shape { m: N_TOKENS, n: 3 * WIDTH, k: D_IN };
    let bindings = [desk.slice_of(x), stacked, qkv];
    matmul(&mut desk.recording, Layout::Nt, bindings, shape, None);
    let at = [("Q", 0), ("K", 1), ("V", 2)].map(|(name, i)| {
        let made = Made::Product { a: x, b: weights[i], transposed: true };
        let axes = [Axis::Tokens, Axis::Numbers];
        desk.show_cells(name, part_of(qkv, i, 0, WIDTH), [N_TOKENS, WIDTH], axes, made)
    });
    let all = Heads {
        at,
        qkv,
        weights: desk.zeros(n_heads * N_TOKENS * N_TOKENS),
        joined: desk.zeros(N_TOKENS * WIDTH),
        d_head: WIDTH / n_heads,
    };
    attend_heads(desk, &all, n_heads as u32);
    let outs = (0..n_heads).map(|head| head_line(desk, &all, head)).collect();
    let axes = [Axis::Tokens, Axis::Numbers];
    let side_by_side = desk.show("Z", all.joined, [N_TOKENS, WIDTH], axes, Made::Beside { of: outs });
    let out = desk.product("Y", [side_by_side, weights[3]], true);
    desk.line([s("side by side:"), m(side_by_side), s("·"), t(weights[3]), s("="), m(out)]);
}

/// Appends scores, softmax and weighted sums of all heads.
fn attend_heads(desk: &mut Desk, all: &Heads, n_heads: u32) {
    let (context_length, n_kv_heads, d_head) = (N_TOKENS as u32, n_heads, all.d_head as u32);
    let (causal, scale, masked_value) = (1, scale(all.d_head), MASKED);
    let params = attention_scores::Params { context_length, n_heads, n_kv_heads, d_head, causal, scale, masked_value };
    attention_scores(&mut desk.recording, [all.qkv, all.weights], 1, params);
    let rows = softmax::Params { n_rows: n_heads * context_length, n_cols: context_length };
    softmax(&mut desk.recording, all.weights, rows);
    let params = weighted_sum::Params { context_length, n_heads, n_kv_heads, d_head, causal };
    weighted_sum(&mut desk.recording, [all.weights, all.qkv, all.joined], 1, params);
}

/// Adds the equation of one head, with its columns of Q, K and V.
fn head_line(desk: &mut Desk, all: &Heads, head: usize) -> At {
    let (d_head, first) = (all.d_head, head * all.d_head);
    let (tokens, shape) = ([Axis::Tokens, Axis::Numbers], [N_TOKENS, d_head]);
    let name = |letter: &str| format!("{letter}_{}", head + 1);
    let [q, k, v] = [("Q", 0), ("K", 1), ("V", 2)].map(|(letter, i)| {
        let made = Made::Columns { of: all.at[i], first };
        desk.show_cells(&name(letter), part_of(all.qkv, i, first, d_head), shape, tokens.clone(), made)
    });
    let square = N_TOKENS * N_TOKENS;
    let cells = (all.weights, (head * square..(head + 1) * square).collect());
    let made = Made::Attention { q, k, scale: scale(d_head) };
    let a = desk.show_cells(&name("A"), cells, [N_TOKENS; 2], [Axis::Tokens, Axis::Tokens], made);
    let of_out = (0..N_TOKENS * d_head).map(|i| i / d_head * WIDTH + first + i % d_head).collect();
    let made = Made::Product { a, b: v, transposed: false };
    let out = desk.show_cells(&name("Z"), (all.joined, of_out), shape, tokens, made);
    desk.line([m(q), s("·"), t(k), s("→ mask, softmax →"), m(a), s("·"), m(v), s("="), m(out)]);
    out
}
