//! The gradient of an embedding table.

use crate::rows_per_piece;
use crate::threads;
use crate::unchecked::wide;

/// CPU counterpart of `embedding::reference_grad` over rows of `width`. Each piece covers a range of token ids and
/// searches all of `ids` for them, so that no two pieces write the same row.
pub fn embedding_grad(out_grad: &[f32], ids: &[u32], table_grad: &mut [f32], width: usize, accumulate: bool) {
    let rows = rows_per_piece(width);
    threads::each(table_grad.chunks_mut(rows * width).enumerate().collect(), |(piece, table_grad)| {
        wide(|| {
            if !accumulate {
                table_grad.fill(0.0);
            }
            let (first, n) = (piece * rows, table_grad.len() / width);
            for (&id, out_grad) in ids.iter().zip(out_grad.chunks_exact(width)) {
                let row = (id as usize).wrapping_sub(first);
                if row < n {
                    let sums = &mut table_grad[row * width..][..width];
                    sums.iter_mut().zip(out_grad).for_each(|(sum, &grad)| *sum += grad);
                }
            }
        });
    });
}
