//! From gradients to weights: the norm and the optimizer.

use crate::threads;
use crate::unchecked::wide;
use crate::{GRAIN, sum};

/// Elements that go into one partial sum in a row; of n workgroups of the GPU, w visits every n-th run.
const RUN: usize = 64;

/// `sums[w]` = Σ g² over the runs w, w + n, … of n sums.
pub fn squared_sums(grads: &[f32], sums: &mut [f32]) {
    const SUMS_PER_PIECE: usize = 16;
    let n_sums = sums.len();
    threads::each(sums.chunks_mut(SUMS_PER_PIECE).enumerate().collect(), |(piece, sums)| {
        wide(|| {
            sums.fill(0.0);
            for round in grads.chunks(RUN * n_sums) {
                let runs = round.chunks(RUN).skip(piece * SUMS_PER_PIECE);
                sums.iter_mut().zip(runs).for_each(|(total, run)| *total += sum(run, |g| g * g));
            }
        });
    });
}

/// What both rules share: the learning rate, how much decays, and what gradients are scaled by.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Learning rate.
    pub lr: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// How many parameters decay, from the first on.
    pub decay_len: usize,
    /// Factor of every gradient.
    pub scale: f32,
}

/// AdamW's own numbers.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// β₁, β₂
    pub betas: [f32; 2],
    /// ε
    pub eps: f32,
    /// 1 − βᵗ of both.
    pub corrections: [f32; 2],
}

/// Twin of `adamw::reference`.
pub fn adamw(update: Update, rule: AdamW, grad: &[f32], [param, m, v]: [&mut [f32]; 3]) {
    let Update { lr, weight_decay, decay_len, scale } = update;
    let AdamW { betas: [beta1, beta2], eps, corrections: [correction1, correction2] } = rule;
    let kept = 1.0 - lr * weight_decay;
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

/// Twin of `sgd::reference`.
pub fn sgd(update: Update, momentum: f32, grad: &[f32], [param, m]: [&mut [f32]; 2]) {
    let Update { lr, weight_decay, decay_len, scale } = update;
    let kept = 1.0 - lr * weight_decay;
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
