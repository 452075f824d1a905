//! From gradients to weights: the norm and the optimizer.

use super::{GRAIN, sum};
use crate::ops::clip::PARTIAL_SUMS;
use crate::ops::step::Step;
use crate::threads;
use crate::unchecked::wide;

/// Elements that go into one partial sum in a row; the GPU's workgroup w visits every [`PARTIAL_SUMS`]-th run.
const RUN: usize = 64;

/// `sums[w]` = Σ g² over the runs w, w + [`PARTIAL_SUMS`], …
pub fn squared_sums(grads: &[f32], sums: &mut [f32]) {
    const SUMS_PER_PIECE: usize = 16;
    let sums = &mut sums[..PARTIAL_SUMS];
    threads::each(sums.chunks_mut(SUMS_PER_PIECE).enumerate().collect(), |(piece, sums)| {
        wide(|| {
            sums.fill(0.0);
            for round in grads.chunks(RUN * PARTIAL_SUMS) {
                let runs = round.chunks(RUN).skip(piece * SUMS_PER_PIECE);
                sums.iter_mut().zip(runs).for_each(|(total, run)| *total += sum(run, |g| g * g));
            }
        });
    });
}

/// Twin of [`adamw::reference`](crate::ops::adamw::reference).
pub fn adamw(step: &Step, decay_len: usize, grad: &[f32], scale: f32, [param, m, v]: [&mut [f32]; 3]) {
    let &Step { lr, beta1, beta2, eps, correction1, correction2, .. } = step;
    let kept = 1.0 - lr * step.weight_decay;
    let state = param.chunks_mut(GRAIN).zip(m.chunks_mut(GRAIN)).zip(v.chunks_mut(GRAIN));
    threads::each(grad.chunks(GRAIN).zip(state).enumerate().collect(), |(piece, (grad, ((param, m), v)))| {
        wide(|| {
            let all = grad.iter().zip(param.iter_mut().zip(m).zip(v));
            for (i, (&g, ((param, m), v))) in (piece * GRAIN..).zip(all) {
                let (g, keep) = (scale * g, if i < decay_len { kept } else { 1.0 });
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                let update = (*m / correction1) / ((*v / correction2).sqrt() + eps);
                *param = *param * keep - lr * update;
            }
        });
    });
}

/// Twin of [`sgd::reference`](crate::ops::sgd::reference).
pub fn sgd(step: &Step, decay_len: usize, grad: &[f32], scale: f32, [param, m]: [&mut [f32]; 2]) {
    let &Step { lr, momentum, .. } = step;
    let kept = 1.0 - lr * step.weight_decay;
    let state = param.chunks_mut(GRAIN).zip(m.chunks_mut(GRAIN));
    threads::each(grad.chunks(GRAIN).zip(state).enumerate().collect(), |(piece, (grad, (param, m)))| {
        wide(|| {
            for (i, (&g, (param, m))) in (piece * GRAIN..).zip(grad.iter().zip(param.iter_mut().zip(m))) {
                let (g, keep) = (scale * g, if i < decay_len { kept } else { 1.0 });
                *m = momentum * *m + g;
                *param = *param * keep - lr * *m;
            }
        });
    });
}
