//! Attention with W_q, W_k and W_v: projections, scale, causal mask, several heads.

use super::plain::embeddings;
use super::sheet::{At, Desk, m, s, t};
use super::{D_IN, N_TOKENS};
use crate::ops::attention_scores::{self, MASKED, attention_scores};
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::softmax::{self, softmax};
use crate::ops::weighted_sum::{self, weighted_sum};
use crate::protocol::lesson::{Axis, Made, MaskPlace, Weights};
use crate::rng::torch::TorchRng;

/// d_k of the lesson's queries and keys.
const D_OUT: usize = 2;

/// The width of all heads together.
const WIDTH: usize = 4;

/// X, the three weights, and what comes of them.
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
    for (w, result) in projected.weights.into_iter().zip(projected.qkv) {
        let w = if projected.module { t(w) } else { m(w) };
        desk.line([m(projected.x), s("·"), w, s("="), m(result)]);
    }
}

/// softmax(Q·Kᵀ / √d_k) · V
pub(super) fn attention(desk: &mut Desk, x: &[f32], weights: Weights, scaled: bool) {
    let [q, k, v] = project(desk, x, weights).qkv;
    let scores = desk.product("S", [q, k], true);
    let of = if scaled { desk.scaled("S / \\sqrt{d_k}", scores, scale(D_OUT), false) } else { scores };
    let weights = desk.softmax("A", of);
    let context = desk.product("Z", [weights, v], false);
    desk.line([m(q), s("·"), t(k), s("="), m(scores)]);
    let how = if scaled { "softmax of scores ÷ √2:" } else { "softmax of scores as they are:" };
    desk.line([s(how), m(weights), s("·"), m(v), s("="), m(context)]);
}

/// One query against six keys, all standard normal.
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

/// The causal mask before softmax, and beside it what was chosen.
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

/// Split, attend, concatenate, W_o.
pub(super) fn heads(desk: &mut Desk, x: &[f32], seed: u64, n_heads: usize) {
    let x = embeddings(desk, x);
    let mut rng = TorchRng::new(seed);
    let d_head = WIDTH / n_heads;
    let axes = [Axis::Numbers, Axis::Numbers];
    let sizes = [("W_q", D_IN), ("W_k", D_IN), ("W_v", D_IN), ("W_o", WIDTH)];
    let drawn = sizes.map(|(_, d_in)| rng.linear(d_in, WIDTH));
    let given = |i: usize| desk.given(sizes[i].0, &drawn[i], sizes[i].1, axes.clone(), Made::Drawn);
    let weights: [At; 4] = [0, 1, 2, 3].map(given);
    // The kernels read queries, keys and values side by side, as in a model: one product with the three matrices stacked.
    let stacked = desk.words(drawn[..3].iter().flatten().map(|weight| weight.to_bits()).collect());
    let qkv = desk.zeros(N_TOKENS * 3 * WIDTH);
    let shape = Shape { m: N_TOKENS, n: 3 * WIDTH, k: D_IN };
    let bindings = [desk.slice_of(x), stacked, qkv];
    matmul(&mut desk.recording, Layout::Nt, bindings, shape, None);
    // Columns of Q, K or V, from a first one on.
    let part_of = |which: usize, first: usize, width: usize| {
        let cell = move |i: usize| i / width * 3 * WIDTH + which * WIDTH + first + i % width;
        (qkv, (0..N_TOKENS * width).map(cell).collect::<Vec<_>>())
    };
    let at = [("Q", 0), ("K", 1), ("V", 2)].map(|(name, i)| {
        let made = Made::Product { a: x, b: weights[i], transposed: true };
        desk.show_cells(name, part_of(i, 0, WIDTH), [N_TOKENS, WIDTH], [Axis::Tokens, Axis::Numbers], made)
    });
    let (all_weights, joined) = (desk.zeros(n_heads * N_TOKENS * N_TOKENS), desk.zeros(N_TOKENS * WIDTH));
    let (context_length, n) = (N_TOKENS as u32, n_heads as u32);
    let scale = scale(d_head);
    let (n_kv_heads, d) = (n, d_head as u32);
    let params =
        attention_scores::Params { context_length, n_heads: n, n_kv_heads, d_head: d, scale, masked_value: MASKED };
    attention_scores(&mut desk.recording, [qkv, all_weights], 1, params);
    let rows = softmax::Params { n_rows: n * context_length, n_cols: context_length };
    softmax(&mut desk.recording, all_weights, rows);
    let params = weighted_sum::Params { context_length, n_heads: n, n_kv_heads, d_head: d };
    weighted_sum(&mut desk.recording, [all_weights, qkv, joined], 1, params);
    let mut outs = Vec::new();
    for head in 0..n_heads {
        let columns = |slice| {
            let cell = move |i: usize| i / d_head * WIDTH + head * d_head + i % d_head;
            (slice, (0..N_TOKENS * d_head).map(cell).collect::<Vec<_>>())
        };
        let (tokens, shape) = ([Axis::Tokens, Axis::Numbers], [N_TOKENS, d_head]);
        let name = |letter: &str| format!("{letter}_{}", head + 1);
        let part = |of| Made::Columns { of, first: head * d_head };
        let q_part = desk.show_cells(&name("Q"), part_of(0, head * d_head, d_head), shape, tokens.clone(), part(at[0]));
        let k_part = desk.show_cells(&name("K"), part_of(1, head * d_head, d_head), shape, tokens.clone(), part(at[1]));
        let v_part = desk.show_cells(&name("V"), part_of(2, head * d_head, d_head), shape, tokens.clone(), part(at[2]));
        let square = N_TOKENS * N_TOKENS;
        let cells = (all_weights, (head * square..(head + 1) * square).collect());
        let made = Made::Attention { q: q_part, k: k_part, scale };
        let a = desk.show_cells(&name("A"), cells, [N_TOKENS; 2], [Axis::Tokens, Axis::Tokens], made);
        let made = Made::Product { a, b: v_part, transposed: false };
        let out = desk.show_cells(&name("Z"), columns(joined), shape, tokens, made);
        desk.line([m(q_part), s("·"), t(k_part), s("→ mask, softmax →"), m(a), s("·"), m(v_part), s("="), m(out)]);
        outs.push(out);
    }
    let axes = [Axis::Tokens, Axis::Numbers];
    let all = desk.show("Z", joined, [N_TOKENS, WIDTH], axes, Made::Beside { of: outs });
    let out = desk.product("Y", [all, weights[3]], true);
    desk.line([s("side by side:"), m(all), s("·"), t(weights[3]), s("="), m(out)]);
}
