//! The parts of a Transformer block besides attention, one idea each.

use super::plain::embeddings;
use super::sheet::{At, Desk, m, s, t};
use super::{D_IN, N_TOKENS};
use crate::gpu::recording::Slice;
use crate::ops::residual::residual as add;
use crate::ops::rmsnorm::{self, EPS, rmsnorm};
use crate::ops::rope::{self, cos_sin_at};
use crate::ops::swiglu::swiglu as gate_rows;
use crate::rng::torch::TorchRng;
use crate::types::lesson::{Axis, Made, Weights};

/// d_k of queries and keys that are rotated: one pair.
const PAIR: usize = 2;

/// d_ff of the lesson's feed-forward network.
const D_FF: usize = 4;

/// The selected row, as a separate matrix.
fn held(desk: &mut Desk, x: &[f32], query: usize) -> At {
    let all = embeddings(desk, x);
    let row = &x[query * D_IN..(query + 1) * D_IN];
    desk.given("x_q", row, D_IN, [Axis::Token(query), Axis::Numbers], Made::Row { of: all })
}

/// A row, multiplied by a factor and divided by its root mean square.
pub(super) fn rms_norm(desk: &mut Desk, x: &[f32], query: usize, factor: f32) {
    let row = held(desk, x, query);
    let large = desk.scaled("a x_q", row, factor, false);
    let input = desk.slice_of(large);
    let y = normalise(desk, input);
    let axes = [Axis::Token(query), Axis::Numbers];
    let normed = desk.show("y", y, [1, D_IN], axes, Made::Normalised { of: large, eps: EPS });
    desk.line([m(row), s("times a"), m(large), s("RMSNorm"), m(normed)]);
}

fn normalise(desk: &mut Desk, row: Slice) -> Slice {
    let (gain, y, inv_rms) = (desk.words(vec![1.0f32.to_bits(); D_IN]), desk.zeros(D_IN), desk.zeros(1));
    let params = rmsnorm::Params { n_rows: 1, d_model: D_IN as u32, eps: EPS, accumulate: 0 };
    rmsnorm(&mut desk.recording, [row, gain, y, inv_rms], params);
    y
}

/// Queries and keys of one pair each, rotated by position · angle.
pub(super) fn rope(desk: &mut Desk, x: &[f32], Weights { seed, module }: Weights, query: usize, degrees: f32) {
    let x = embeddings(desk, x);
    let mut rng = TorchRng::new(seed);
    let mut projected = |desk: &mut Desk, w: &str, name: &str| {
        let (weights, cols) = match module {
            true => (rng.linear(D_IN, PAIR), D_IN),
            false => (rng.randn(D_IN * PAIR), PAIR),
        };
        let w = desk.given(w, &weights, cols, [Axis::Numbers, Axis::Numbers], Made::Drawn);
        desk.product(name, [x, w], module)
    };
    let (q, k) = (projected(desk, "W_q", "Q"), projected(desk, "W_k", "K"));
    let angle = f64::from(degrees).to_radians();
    // Θ has no effect on a single pair: it rotates by its "position" in radians.
    let table = cos_sin_at((0..N_TOKENS).map(|position| position as f64 * angle), PAIR, 10_000.0);
    let table = desk.words(table.into_iter().map(f32::to_bits).collect());
    let (n, pair) = (N_TOKENS as u32, PAIR as u32);
    let params =
        rope::Params { n_rows: n, context_length: n, d_model: pair, stride: pair, d_head: pair, direction: 1.0 };
    let turned = [("Q_{turned}", q), ("K_{turned}", k)].map(|(name, of)| {
        let copy = desk.copy(desk.slice_of(of), [N_TOKENS, PAIR]);
        rope::rope(&mut desk.recording, [table, copy], params);
        let axes = [Axis::Tokens, Axis::Numbers];
        desk.show(name, copy, [N_TOKENS, PAIR], axes, Made::Turned { of, degrees })
    });
    let of_row = |desk: &mut Desk, of: At, name: &str| {
        let row = desk.slice_of(of);
        let picked = desk.pick(row, query, [N_TOKENS, PAIR]);
        desk.show(name, picked, [1, PAIR], [Axis::Token(query), Axis::Numbers], Made::Row { of })
    };
    let (q_row, q_turned) = (of_row(desk, q, "q"), of_row(desk, turned[0], "q_{turned}"));
    let before = desk.product("s", [q_row, k], true);
    let after = desk.product("s_{turned}", [q_turned, turned[1]], true);
    desk.line([s("as they are:"), m(q_row), s("·"), t(k), s("="), m(before)]);
    desk.line([s("turned:"), m(q_turned), s("·"), t(turned[1]), s("="), m(after)]);
}

/// W_2 · (SiLU(a · W_1·x) ⊙ W_3·x)
pub(super) fn swiglu(desk: &mut Desk, x: &[f32], query: usize, seed: u64, factor: f32) {
    let row = held(desk, x, query);
    let mut rng = TorchRng::new(seed);
    let mut weight = |desk: &mut Desk, name: &str, [d_in, d_out]: [usize; 2]| {
        desk.given(name, &rng.linear(d_in, d_out), d_in, [Axis::Numbers, Axis::Numbers], Made::Drawn)
    };
    let (w1, w3) = (weight(desk, "W_1", [D_IN, D_FF]), weight(desk, "W_3", [D_IN, D_FF]));
    let w2 = weight(desk, "W_2", [D_FF, D_IN]);
    let plain = desk.product("x_q W_1^T", [row, w1], true);
    let gate = desk.scaled("g", plain, factor, false);
    let up = desk.product("u", [row, w3], true);
    // The kernel reads gate and up from one row, the output of a single matmul; here [gate | up] is joined from two.
    let (gate_at, up_at) = (desk.slice_of(gate), desk.slice_of(up));
    let rows = desk.beside([gate_at, up_at], D_FF);
    let hidden = desk.zeros(D_FF);
    gate_rows(&mut desk.recording, [rows, hidden], 1);
    let axes = [Axis::Token(query), Axis::Numbers];
    let hidden = desk.show("h", hidden, [1, D_FF], axes, Made::Gated { gate, up });
    let out = desk.product("y", [hidden, w2], true);
    desk.line([s("gate:"), m(row), s("·"), t(w1), s("· a ="), m(gate)]);
    desk.line([s("up:"), m(row), s("·"), t(w3), s("="), m(up)]);
    desk.line([s("SiLU(g) ⊙ u ="), m(hidden), s("·"), t(w2), s("="), m(out)]);
}

/// Two branches that are added to a row, and the same computation without the additions.
pub(super) fn residual(desk: &mut Desk, x: &[f32], query: usize, seed: u64, factor: f32) {
    let row = held(desk, x, query);
    let mut rng = TorchRng::new(seed);
    let weights = ["W_1", "W_2"]
        .map(|name| desk.given(name, &rng.linear(D_IN, D_IN), D_IN, [Axis::Numbers, Axis::Numbers], Made::Drawn));
    let axes = [Axis::Token(query), Axis::Numbers];
    let (mut stream, mut alone) = (row, row);
    for (i, w) in weights.into_iter().enumerate() {
        let branch = branch(desk, stream, w, factor, &format!("b_{}", i + 1), axes.clone());
        let out = desk.zeros(D_IN);
        let bindings = [desk.slice_of(stream), desk.slice_of(branch), out];
        add(&mut desk.recording, bindings);
        let made = Made::Sum { a: stream, b: branch };
        let sum = desk.show(&format!("x_{}", i + 1), out, [1, D_IN], axes.clone(), made);
        desk.line([m(stream), s("+"), m(branch), s("="), m(sum)]);
        stream = sum;
    }
    let names = ["c_1", "c_2"];
    for (w, name) in weights.into_iter().zip(names) {
        alone = branch(desk, alone, w, factor, name, axes.clone());
    }
    desk.line([s("without the stream, only the branches one after the other:"), m(alone)]);
}

/// factor · W · RMSNorm(x)
fn branch(desk: &mut Desk, x: At, w: At, factor: f32, name: &str, axes: [Axis; 2]) -> At {
    let input = desk.slice_of(x);
    let normed = normalise(desk, input);
    let normed = desk.show("norm", normed, [1, D_IN], axes, Made::Normalised { of: x, eps: EPS });
    let plain = desk.product("W norm", [normed, w], true);
    desk.scaled(name, plain, factor, false)
}
