//! What a Transformer needs besides attention, one idea each.

use super::D_IN;
use super::plain::embeddings;
use super::sheet::{Desk, m, s};
use crate::ops::cross_entropy::{self, cross_entropy_grad};
use crate::ops::rmsnorm::{self, EPS, rmsnorm};
use crate::protocol::lesson::{Axis, CANDIDATES, Made, OTHER_LOGITS};

/// A row, multiplied, divided by its root mean square.
pub(super) fn rms_norm(desk: &mut Desk, x: &[f32], query: usize, factor: f32) {
    let all = embeddings(desk, x);
    let axes = [Axis::Token(query), Axis::Numbers];
    let row = &x[query * D_IN..(query + 1) * D_IN];
    let row = desk.given("x_q", row, D_IN, axes.clone(), Made::Columns { of: all, first: 0 });
    let large = desk.scaled("a x_q", row, factor, false);
    let (gain, y, inv_rms) = (desk.words(vec![1.0f32.to_bits(); D_IN]), desk.zeros(D_IN), desk.zeros(1));
    let params = rmsnorm::Params { n_rows: 1, d_model: D_IN as u32, eps: EPS, accumulate: 0 };
    let input = desk.slice_of(large);
    rmsnorm(&mut desk.recording, [input, gain, y, inv_rms], params);
    let normed = desk.show("y", y, [1, D_IN], axes, Made::Normalised { of: large, eps: EPS });
    desk.line([m(row), s("times a"), m(large), s("RMSNorm"), m(normed)]);
}

fn candidates() -> [Axis; 2] {
    let labels = |words: &[&str]| Axis::Labels(words.iter().map(|&word| word.into()).collect());
    [labels(&["next"]), labels(&CANDIDATES)]
}

/// Cross-entropy and its gradient; the first candidate is the token that comes.
pub(super) fn loss(desk: &mut Desk, logit: f32) {
    let mut logits = OTHER_LOGITS;
    logits[0] = logit;
    let n = logits.len();
    let of = desk.given("z", &logits, n, candidates(), Made::Given { editable: false });
    let probabilities = desk.softmax("p", of);
    let (targets, losses) = (desk.words(vec![0]), desk.zeros(1));
    let copy = desk.scaled("", of, 1.0, false);
    let grads = desk.slice_of(copy);
    desk.forget_last();
    let params = cross_entropy::Params { n_rows: 1, vocab_size: n as u32 };
    cross_entropy_grad(&mut desk.recording, [grads, targets, losses], params);
    let axes = [candidates()[0].clone(), Axis::Numbers];
    let loss = desk.show("L", losses, [1, 1], axes, Made::CrossEntropy { of, target: 0 });
    let grad = desk.show("dL / dz", grads, [1, n], candidates(), Made::LossGradient { of, target: 0 });
    desk.line([m(of), s("softmax"), m(probabilities), s("−ln p of “step”"), m(loss)]);
    desk.line([s("gradient:"), m(grad)]);
}
