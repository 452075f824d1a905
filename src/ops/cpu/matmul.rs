//! Matmuls.

use crate::ops::matmul::{Layout, Shape};
use crate::unchecked::{Matrix, MatrixMut, multiply};

/// CPU counterpart of the three references of [`matmul`](crate::ops::matmul); `accumulate` adds to the values of `y`.
pub fn matmul(layout: Layout, [a, b]: [&[f32]; 2], y: &mut [f32], Shape { m, n, k }: Shape, accumulate: bool) {
    let (a, b) = match layout {
        Layout::Nt => (Matrix::new(a, [m, k], k), Matrix::new(b, [n, k], k).transposed()),
        Layout::Nn => (Matrix::new(a, [m, k], k), Matrix::new(b, [k, n], n)),
        Layout::Tn => (Matrix::new(a, [k, m], m).transposed(), Matrix::new(b, [k, n], n)),
    };
    multiply(a, b, MatrixMut::new(y, [m, n], n), 1.0, accumulate);
}
