//! Softmax over rows.

use super::exp::exp;
use super::{largest, rows_per_piece, sum};
use crate::ops::softmax::Params;
use crate::threads;
use crate::unchecked::wide;

/// Twin of [`softmax::reference`](crate::ops::softmax::reference).
pub fn softmax(x: &mut [f32], params: &Params) {
    let (width, n) = (params.n_cols as usize, params.n_rows as usize);
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
