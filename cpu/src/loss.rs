//! Cross-entropy, and its gradient in the same pass over the logits.

use crate::exp::exp;
use crate::threads;
use crate::unchecked::wide;
use crate::{largest, rows_per_piece, sum};

/// CPU counterpart of `cross_entropy::reference` over `n` rows of `width` logits.
pub fn cross_entropy(logits: &[f32], targets: &[u32], losses: &mut [f32], [n, width]: [usize; 2]) {
    let rows = rows_per_piece(width);
    let inputs = logits[..n * width].chunks(rows * width).zip(targets[..n].chunks(rows));
    threads::each(inputs.zip(losses.chunks_mut(rows)).collect(), |((logits, targets), losses)| {
        wide(|| {
            for ((row, &target), loss) in logits.chunks_exact(width).zip(targets).zip(losses) {
                let most = largest(row);
                *loss = sum(row, |logit| exp(logit - most)).ln() + most - row[target as usize];
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
                *loss = total.ln() + most - of_target;
                let scale = per_row / total;
                row.iter_mut().for_each(|e| *e *= scale);
                row[target] -= per_row;
            }
        });
    });
}
