//! The gradient of a table.

use super::rows_per_piece;
use crate::ops::embedding::Params;
use crate::threads;
use crate::unchecked::wide;

/// Twin of [`embedding::reference_grad`](crate::ops::embedding::reference_grad). Each piece is a range of tokens of the
/// vocabulary and looks for them in all of `ids`, so that no two pieces write the same row.
pub fn embedding_grad(out_grad: &[f32], ids: &[u32], table_grad: &mut [f32], params: &Params) {
    let width = params.d_model as usize;
    let (ids, rows) = (&ids[..params.n_tokens as usize], rows_per_piece(width));
    let table_grad = &mut table_grad[..params.vocab_size as usize * width];
    threads::each(table_grad.chunks_mut(rows * width).enumerate().collect(), |(piece, table_grad)| {
        wide(|| {
            if params.accumulate == 0 {
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
