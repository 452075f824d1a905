//! Cross-entropy, its gradient in the same pass over the logits, and the entropy of each row's distribution.

use crate::exp::exp;
use crate::math::ln_f32;
use crate::threads;
use crate::unchecked::wide;
use crate::{LANES, largest, rows_per_piece, sum, total};

/// CPU counterpart of `cross_entropy::reference` over `n` rows of `width` logits.
pub fn cross_entropy(logits: &[f32], targets: &[u32], losses: &mut [f32], [n, width]: [usize; 2]) {
    let rows = rows_per_piece(width);
    let inputs = logits[..n * width].chunks(rows * width).zip(targets[..n].chunks(rows));
    threads::each(inputs.zip(losses.chunks_mut(rows)).collect(), |((logits, targets), losses)| {
        wide(|| {
            for ((row, &target), loss) in logits.chunks_exact(width).zip(targets).zip(losses) {
                let most = largest(row);
                *loss = ln_f32(sum(row, |logit| exp(logit - most))) + most - row[target as usize];
            }
        });
    });
}

/// CPU counterpart of `cross_entropy::reference` followed by `reference_grad`; the loss is the mean over `n_total` rows.
pub fn cross_entropy_grad(
    logits: &mut [f32],
    targets: &[u32],
    losses: &mut [f32],
    [n, width]: [usize; 2],
    n_total: usize,
) {
    let (rows, per_row) = (rows_per_piece(width), 1.0 / n_total as f32);
    let pieces = logits[..n * width].chunks_mut(rows * width).zip(targets[..n].chunks(rows));
    threads::each(pieces.zip(losses.chunks_mut(rows)).collect(), |((logits, targets), losses)| {
        wide(|| {
            for ((row, &target), loss) in logits.chunks_exact_mut(width).zip(targets).zip(losses) {
                let (most, target) = (largest(row), target as usize);
                let of_target = row[target];
                row.iter_mut().for_each(|logit| *logit = exp(*logit - most));
                let total = sum(row, |e| e);
                *loss = ln_f32(total) + most - of_target;
                let scale = per_row / total;
                row.iter_mut().for_each(|e| *e *= scale);
                row[target] -= per_row;
            }
        });
    });
}

/// [`cross_entropy`], and the entropy of each row's softmax in nats.
pub fn cross_entropy_and_entropies(
    logits: &[f32],
    targets: &[u32],
    losses: &mut [f32],
    entropies: &mut [f32],
    [n, width]: [usize; 2],
) {
    cross_entropy(logits, targets, losses, [n, width]);
    let rows = rows_per_piece(width);
    let inputs = logits[..n * width].chunks(rows * width);
    threads::each(inputs.zip(entropies[..n].chunks_mut(rows)).collect(), |(logits, entropies)| {
        wide(|| {
            for (row, entropy) in logits.chunks_exact(width).zip(entropies) {
                let most = largest(row);
                let total = sum(row, |logit| exp(logit - most));
                *entropy = ln_f32(total) - sum(row, |logit| term(exp(logit - most), logit - most)) / total;
            }
        });
    });
}

/// CPU counterpart of `cross_entropy::reference_weighted`: row `n` of the gradient is multiplied by `coefficients[n]`.
pub fn weighted_cross_entropy_grad(
    logits: &mut [f32],
    targets: &[u32],
    [losses, entropies]: [&mut [f32]; 2],
    coefficients: &[f32],
    [n, width]: [usize; 2],
) {
    let rows = rows_per_piece(width);
    let inputs = logits[..n * width].chunks_mut(rows * width).zip(targets[..n].chunks(rows));
    let outputs = losses[..n].chunks_mut(rows).zip(entropies[..n].chunks_mut(rows));
    let pieces = inputs.zip(outputs).zip(coefficients[..n].chunks(rows));
    threads::each(pieces.collect(), |(((logits, targets), (losses, entropies)), coefficients)| {
        wide(|| {
            let outputs = losses.iter_mut().zip(entropies).zip(coefficients);
            for ((row, &target), ((loss, entropy), &coefficient)) in
                logits.chunks_exact_mut(width).zip(targets).zip(outputs)
            {
                let (most, target) = (largest(row), target as usize);
                let of_target = row[target];
                let [total, weighted] = exponentials(row, most);
                *entropy = ln_f32(total) - weighted / total;
                *loss = ln_f32(total) + most - of_target;
                let scale = coefficient / total;
                row.iter_mut().for_each(|e| *e *= scale);
                row[target] -= coefficient;
            }
        });
    });
}

/// Replaces every logit x by e = eˣ⁻ᵐ, where m is the largest; returns Σ e and Σ e·(x − m).
#[inline(always)]
fn exponentials(row: &mut [f32], most: f32) -> [f32; 2] {
    let one = |logit: &mut f32| {
        let shifted = *logit - most;
        *logit = exp(shifted);
        [*logit, term(*logit, shifted)]
    };
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    let mut lanes = [[0.0; LANES]; 2];
    for chunk in chunks {
        for lane in 0..LANES {
            let [e, weighted] = one(&mut chunk[lane]);
            lanes[0][lane] += e;
            lanes[1][lane] += weighted;
        }
    }
    let mut of_rest = [0.0; 2];
    for logit in rest {
        let [e, weighted] = one(logit);
        of_rest = [of_rest[0] + e, of_rest[1] + weighted];
    }
    [total(lanes[0]) + of_rest[0], total(lanes[1]) + of_rest[1]]
}

/// e·(x − m), where an impossible token adds nothing, also if its logit is −∞.
#[inline(always)]
fn term(e: f32, shifted: f32) -> f32 {
    if e > 0.0 { e * shifted } else { 0.0 }
}
