//! Softmax over rows.

use crate::exp::exp;
use crate::threads;
use crate::unchecked::wide;
use crate::{largest, rows_per_piece, sum};

/// CPU counterpart of `softmax::reference` over `n` rows of `width`.
pub fn softmax(x: &mut [f32], [n, width]: [usize; 2]) {
    threads::each(x[..n * width].chunks_mut(rows_per_piece(width) * width).collect(), |x| {
        wide(|| {
            for row in x.chunks_exact_mut(width) {
                let most = largest(row);
                row.iter_mut().for_each(|x| *x = exp(*x - most));
                let scale = 1.0 / sum(row, |e| e);
                row.iter_mut().for_each(|e| *e *= scale);
            }
        });
    });
}
