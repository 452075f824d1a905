//! Rotary position embedding.

use crate::rows_per_piece;
use crate::threads;
use crate::unchecked::wide;

/// Rows of `stride` elements whose first `width` are heads of size `d_head`, one row per position.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Number of rows.
    pub n: usize,
    /// T: positions of a sequence.
    pub context_length: usize,
    /// Number of elements to rotate.
    pub width: usize,
    /// Number of elements in a row.
    pub stride: usize,
    /// D: size of a head.
    pub d_head: usize,
}

/// CPU counterpart of `rope::reference`.
pub fn rope(cos_sin: &[f32], x: &mut [f32], of: Rows, direction: f32) {
    let Rows { n, context_length, width, stride, d_head } = of;
    let rows = rows_per_piece(stride);
    threads::each(x[..n * stride].chunks_mut(rows * stride).enumerate().collect(), |(piece, x)| {
        wide(|| {
            for (row, x) in (piece * rows..).zip(x.chunks_exact_mut(stride)) {
                let position = row % context_length;
                let turns = cos_sin[position * d_head..][..d_head].as_chunks::<2>().0;
                for head in x[..width].chunks_exact_mut(d_head) {
                    for ([x0, x1], [cosine, sine]) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
                        let sine = direction * sine;
                        (*x0, *x1) = (*x0 * cosine - *x1 * sine, *x0 * sine + *x1 * cosine);
                    }
                }
            }
        });
    });
}
