//! Rotary position embedding.

use super::rows_per_piece;
use crate::ops::rope::Params;
use crate::threads;
use crate::unchecked::wide;

/// Twin of [`rope::reference`](crate::ops::rope::reference).
pub fn rope(cos_sin: &[f32], x: &mut [f32], params: &Params) {
    let (width, stride, d_head) = (params.d_model as usize, params.stride as usize, params.d_head as usize);
    let (rows, n) = (rows_per_piece(stride), params.n_rows as usize);
    threads::each(x[..n * stride].chunks_mut(rows * stride).enumerate().collect(), |(piece, x)| {
        wide(|| {
            for (row, x) in (piece * rows..).zip(x.chunks_exact_mut(stride)) {
                let position = row % params.context_length as usize;
                let turns = cos_sin[position * d_head..][..d_head].as_chunks::<2>().0;
                for head in x[..width].chunks_exact_mut(d_head) {
                    for ([x0, x1], [cosine, sine]) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
                        let sine = params.direction * sine;
                        (*x0, *x1) = (*x0 * cosine - *x1 * sine, *x0 * sine + *x1 * cosine);
                    }
                }
            }
        });
    });
}
