//! Softmax over rows and its gradient.

use super::exp::exp;
use super::{largest, rows_per_piece, sum, sum2};
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

/// Twin of [`softmax::reference_grad`](crate::ops::softmax::reference_grad).
pub fn softmax_grad(y: &[f32], grad: &mut [f32], params: &Params) {
    let (width, n) = (params.n_cols as usize, params.n_rows as usize);
    let piece = rows_per_piece(width) * width;
    threads::each(y.chunks(piece).zip(grad[..n * width].chunks_mut(piece)).collect(), |(y, grad)| {
        wide(|| {
            for (y, grad) in y.chunks_exact(width).zip(grad.chunks_exact_mut(width)) {
                let dot = sum2(y, grad, |y, grad| y * grad);
                grad.iter_mut().zip(y).for_each(|(grad, &y)| *grad = y * (*grad - dot));
            }
        });
    });
}
