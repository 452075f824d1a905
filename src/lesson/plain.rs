//! Attention without weights: dot products of the tokens themselves.

use super::sheet::{At, Desk, m, s, t};
use super::{D_IN, N_TOKENS};
use crate::ops::embedding::{self, embedding};
use crate::types::lesson::{Axis, IDS, Made};

/// X
pub(super) fn embeddings(desk: &mut Desk, x: &[f32]) -> At {
    desk.given("X", x, D_IN, [Axis::Tokens, Axis::Numbers], Made::Given { editable: true })
}

/// The rows of the table that the ids of the sentence select; the other 50,251 rows of GPT-2's vocabulary are not shown.
pub(super) fn embed(desk: &mut Desk, x: &[f32]) {
    let ids = Axis::Labels(IDS.iter().map(u32::to_string).collect());
    let table = desk.given("E", x, D_IN, [ids, Axis::Numbers], Made::Given { editable: true });
    let places = desk.words((0..N_TOKENS as u32).collect());
    let out = desk.zeros(N_TOKENS * D_IN);
    let params = embedding::Params {
        n_tokens: N_TOKENS as u32,
        vocab_size: N_TOKENS as u32,
        d_model: D_IN as u32,
        accumulate: 0,
        first_id: 0,
    };
    let bindings = [desk.slice_of(table), places, out];
    embedding(&mut desk.recording, bindings, params);
    let rows = desk.show("X", out, [N_TOKENS, D_IN], [Axis::Tokens, Axis::Numbers], Made::Row { of: table });
    desk.line([m(table), s("row by row, in the order of the sentence:"), m(rows)]);
}

/// x_q · Xᵀ, together with the row and X.
fn row_scores(desk: &mut Desk, x: &[f32], query: usize) -> [At; 3] {
    let all = embeddings(desk, x);
    let row = &x[query * D_IN..(query + 1) * D_IN];
    let axes = [Axis::Token(query), Axis::Numbers];
    let row = desk.given("x_q", row, D_IN, axes, Made::Columns { of: all, first: 0 });
    let scores = desk.product("s", [row, all], true);
    [row, all, scores]
}

/// The dot products of one row with all rows.
pub(super) fn scores(desk: &mut Desk, x: &[f32], query: usize) {
    let [row, all, scores] = row_scores(desk, x, query);
    desk.line([m(row), s("·"), t(all), s("="), m(scores)]);
}

/// Shares of the sum, compared with softmax.
pub(super) fn weights(desk: &mut Desk, x: &[f32], query: usize, shift: f32) {
    let [_, _, of] = row_scores(desk, x, query);
    let moved = desk.shifted("s + c", of, shift);
    let share = desk.after("(s + c) / \\sum (s + c)", of, N_TOKENS, Made::Share { of: moved }, move |done| {
        let sum: f32 = done[moved].values.iter().sum();
        done[moved].values.iter().map(|score| score / sum).collect()
    });
    let soft = desk.softmax("softmax(s + c)", moved);
    desk.line([m(moved), s("by their sum"), m(share)]);
    desk.line([m(moved), s("by softmax"), m(soft)]);
}

/// Softmax with and without subtracting the maximum.
pub(super) fn overflow(desk: &mut Desk, x: &[f32], query: usize, factor: f32) {
    let [_, _, scores] = row_scores(desk, x, query);
    let large = desk.scaled("a s", scores, factor, false);
    let made = Made::Softmax { of: large, stable: false };
    let naive = desk.after("e^{a s} / \\sum e^{a s}", large, N_TOKENS, made, move |done| {
        let powers: Vec<f32> = done[large].values.iter().map(|score| score.exp()).collect();
        let sum: f32 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    });
    let stable = desk.softmax("softmax(a s)", large);
    desk.line([m(large), s("naive"), m(naive)]);
    desk.line([m(large), s("stable"), m(stable)]);
}

/// weights · X for one row.
pub(super) fn context(desk: &mut Desk, x: &[f32], query: usize) {
    let [_, all, scores] = row_scores(desk, x, query);
    let weights = desk.softmax("a", scores);
    let context = desk.product("z", [weights, all], false);
    desk.line([m(weights), s("·"), m(all), s("="), m(context)]);
}

/// All rows at once: X·Xᵀ, softmax, · X.
pub(super) fn all_at_once(desk: &mut Desk, x: &[f32]) {
    let all = embeddings(desk, x);
    let scores = desk.product("S", [all, all], true);
    let weights = desk.softmax("A", scores);
    let contexts = desk.product("Z", [weights, all], false);
    desk.line([m(all), s("·"), t(all), s("="), m(scores)]);
    desk.line([s("softmax, row by row:"), m(weights), s("·"), m(all), s("="), m(contexts)]);
}
