//! The end of a training step: gradient norm and optimizers.

use crate::threads;
use crate::unchecked::wide;
use crate::{GRAIN, sum};

/// Consecutive elements of a partial sum's run; of n workgroups on the GPU, workgroup w visits the runs w, w + n, ….
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

/// Parameters that both optimizers share.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// Learning rate.
    pub lr: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Number of parameters with weight decay; they come first.
    pub decay_len: usize,
    /// Factor of every gradient.
    pub scale: f32,
}

/// Parameters of AdamW.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// β₁, β₂
    pub betas: [f32; 2],
    /// 1 − β₁, 1 − β₂, rounded from the exact difference rather than computed from the rounded β.
    pub one_minus_betas: [f32; 2],
    /// ε
    pub eps: f32,
    /// 1 − β₁ᵗ, 1 − β₂ᵗ
    pub corrections: [f32; 2],
}

/// CPU counterpart of the function of the same name in `ops::adamw`.
#[inline(always)]
fn moving_mean(mean: f32, value: f32, beta: f32, one_minus_beta: f32) -> f32 {
    let near_one = mean + one_minus_beta * (value - mean);
    let other = beta * mean + one_minus_beta * value;
    if one_minus_beta < 0.5 { near_one } else { other }
}

/// CPU counterpart of `adamw::reference`.
pub fn adamw(update: Update, rule: AdamW, grad: &[f32], [param, m, v]: [&mut [f32]; 3]) {
    let Update { lr, weight_decay, decay_len, scale } = update;
    let AdamW { betas: [beta1, beta2], eps, corrections: [correction1, correction2], .. } = rule;
    let [one_minus_beta1, one_minus_beta2] = rule.one_minus_betas;
    let state = param.chunks_mut(GRAIN).zip(m.chunks_mut(GRAIN)).zip(v.chunks_mut(GRAIN));
    threads::each(grad.chunks(GRAIN).zip(state).enumerate().collect(), |(piece, (grad, ((param, m), v)))| {
        wide(|| {
            let all = grad.iter().zip(param.iter_mut().zip(m).zip(v));
            for (i, (&g, ((param, m), v))) in (piece * GRAIN..).zip(all) {
                let (g, decay) = (scale * g, if i < decay_len { weight_decay * *param } else { 0.0 });
                *m = moving_mean(*m, g, beta1, one_minus_beta1);
                *v = moving_mean(*v, g * g, beta2, one_minus_beta2);
                let update = (*m / correction1) / ((*v / correction2).sqrt() + eps);
                *param -= lr * (decay + update);
            }
        });
    });
}

/// CPU counterpart of `sgd::reference`.
pub fn sgd(update: Update, momentum: f32, grad: &[f32], [param, m]: [&mut [f32]; 2]) {
    let Update { lr, weight_decay, decay_len, scale } = update;
    let state = param.chunks_mut(GRAIN).zip(m.chunks_mut(GRAIN));
    threads::each(grad.chunks(GRAIN).zip(state).enumerate().collect(), |(piece, (grad, (param, m)))| {
        wide(|| {
            for (i, (&g, (param, m))) in (piece * GRAIN..).zip(grad.iter().zip(param.iter_mut().zip(m))) {
                let (g, decay) = (scale * g, if i < decay_len { weight_decay * *param } else { 0.0 });
                *m = momentum * *m + g;
                *param -= lr * (decay + *m);
            }
        });
    });
}
