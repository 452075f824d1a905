//! RMSNorm and LayerNorm over (N, C): `n` rows of `width`.

use crate::threads;
use crate::unchecked::wide;
use crate::{rows_per_piece, sum, sum2, sum3};

/// Columns of a gain per piece of work.
const COLS: usize = 64;

/// CPU counterpart of `rmsnorm::reference`.
pub fn rmsnorm(x: &[f32], gain: &[f32], y: &mut [f32], inv_rms: &mut [f32], [n, width]: [usize; 2], eps: f32) {
    let rows = rows_per_piece(width);
    let outputs = y[..n * width].chunks_mut(rows * width).zip(inv_rms[..n].chunks_mut(rows));
    threads::each(x.chunks(rows * width).zip(outputs).collect(), |(x, (y, inv_rms))| {
        wide(|| {
            for ((x, y), inv_rms) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(inv_rms) {
                let mean = sum(x, |x| x * x) / width as f32;
                let scale = 1.0 / (mean + eps).sqrt();
                *inv_rms = scale;
                y.iter_mut().zip(x).zip(gain).for_each(|((y, &x), &gain)| *y = gain * x * scale);
            }
        });
    });
}

/// CPU counterpart of `rmsnorm::reference_grad_x`.
pub fn rmsnorm_grad_x(
    [x, gain, y_grad, inv_rms]: [&[f32]; 4],
    x_grad: &mut [f32],
    [n, width]: [usize; 2],
    accumulate: bool,
) {
    let rows = rows_per_piece(width);
    let inputs = x.chunks(rows * width).zip(y_grad.chunks(rows * width)).zip(inv_rms.chunks(rows));
    let pieces = inputs.zip(x_grad[..n * width].chunks_mut(rows * width));
    threads::each(pieces.collect(), |(((x, y_grad), inv_rms), x_grad)| {
        wide(|| {
            let inputs = x.chunks_exact(width).zip(y_grad.chunks_exact(width)).zip(inv_rms);
            for (((x, y_grad), &inv_rms), x_grad) in inputs.zip(x_grad.chunks_exact_mut(width)) {
                let mean = sum3(gain, y_grad, x, |gain, grad, x| gain * grad * x) / width as f32;
                let pull = inv_rms * inv_rms * mean;
                let terms = x.iter().zip(gain).zip(y_grad);
                let value = |((&x, &gain), &grad): ((&f32, &f32), &f32)| inv_rms * (gain * grad - x * pull);
                store(x_grad, terms.map(value), accumulate);
            }
        });
    });
}

/// CPU counterpart of `rmsnorm::reference_grad_gain`.
pub fn rmsnorm_grad_gain([x, y_grad, inv_rms]: [&[f32]; 3], gain_grad: &mut [f32], [n, width]: [usize; 2]) {
    threads::each(gain_grad[..width].chunks_mut(COLS).enumerate().collect(), |(piece, sums)| {
        wide(|| {
            let (first, len) = (piece * COLS, sums.len());
            sums.fill(0.0);
            for (row, &inv_rms) in inv_rms[..n].iter().enumerate() {
                let at = row * width + first;
                let terms = x[at..][..len].iter().zip(&y_grad[at..][..len]);
                sums.iter_mut().zip(terms).for_each(|(sum, (&x, &grad))| *sum += grad * x * inv_rms);
            }
        });
    });
}

/// CPU counterpart of `layernorm::reference`.
pub fn layernorm(x: &[f32], gain: &[f32], y: &mut [f32], stats: &mut [f32], [n, width]: [usize; 2], eps: f32) {
    let rows = rows_per_piece(width);
    let outputs = y[..n * width].chunks_mut(rows * width).zip(stats[..2 * n].chunks_mut(2 * rows));
    threads::each(x.chunks(rows * width).zip(outputs).collect(), |(x, (y, stats))| {
        wide(|| {
            for ((x, y), stats) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(stats.chunks_exact_mut(2)) {
                let mean = sum(x, |x| x) / width as f32;
                let variance = sum(x, |x| (x - mean) * (x - mean)) / width as f32;
                let inv_std = 1.0 / (variance + eps).sqrt();
                y.iter_mut().zip(x).zip(gain).for_each(|((y, &x), &gain)| *y = gain * (x - mean) * inv_std);
                (stats[0], stats[1]) = (mean, inv_std);
            }
        });
    });
}

/// CPU counterpart of `layernorm::reference_grad_x`.
pub fn layernorm_grad_x(
    [x, gain, y_grad, stats]: [&[f32]; 4],
    x_grad: &mut [f32],
    [n, width]: [usize; 2],
    accumulate: bool,
) {
    let rows = rows_per_piece(width);
    let inputs = x.chunks(rows * width).zip(y_grad.chunks(rows * width)).zip(stats.chunks(2 * rows));
    let pieces = inputs.zip(x_grad[..n * width].chunks_mut(rows * width));
    threads::each(pieces.collect(), |(((x, y_grad), stats), x_grad)| {
        wide(|| {
            let inputs = x.chunks_exact(width).zip(y_grad.chunks_exact(width)).zip(stats.chunks_exact(2));
            for (((x, y_grad), stats), x_grad) in inputs.zip(x_grad.chunks_exact_mut(width)) {
                let (mean, inv_std) = (stats[0], stats[1]);
                let mean_g = sum2(gain, y_grad, |gain, grad| gain * grad) / width as f32;
                let of_n = |gain: f32, grad: f32, x: f32| gain * grad * ((x - mean) * inv_std);
                let mean_gn = sum3(gain, y_grad, x, of_n) / width as f32;
                let value = |((&x, &gain), &grad): ((&f32, &f32), &f32)| {
                    inv_std * (gain * grad - mean_g - (x - mean) * inv_std * mean_gn)
                };
                store(x_grad, x.iter().zip(gain).zip(y_grad).map(value), accumulate);
            }
        });
    });
}

/// CPU counterpart of `layernorm::reference_grad_gain`.
pub fn layernorm_grad_gain([x, y_grad, stats]: [&[f32]; 3], gain_grad: &mut [f32], [n, width]: [usize; 2]) {
    threads::each(gain_grad[..width].chunks_mut(COLS).enumerate().collect(), |(piece, sums)| {
        wide(|| {
            let (first, len) = (piece * COLS, sums.len());
            sums.fill(0.0);
            for (row, stats) in stats[..2 * n].chunks_exact(2).enumerate() {
                let (at, mean, inv_std) = (row * width + first, stats[0], stats[1]);
                let terms = x[at..][..len].iter().zip(&y_grad[at..][..len]);
                sums.iter_mut().zip(terms).for_each(|(sum, (&x, &grad))| *sum += grad * (x - mean) * inv_std);
            }
        });
    });
}

/// CPU counterpart of `bias::reference_grad`.
pub fn bias_grad(y_grad: &[f32], bias_grad: &mut [f32]) {
    let width = bias_grad.len();
    threads::each(bias_grad.chunks_mut(COLS).enumerate().collect(), |(piece, sums)| {
        wide(|| {
            let (first, len) = (piece * COLS, sums.len());
            sums.fill(0.0);
            for row in y_grad.chunks_exact(width) {
                sums.iter_mut().zip(&row[first..][..len]).for_each(|(sum, &grad)| *sum += grad);
            }
        });
    });
}

#[inline(always)]
fn store(out: &mut [f32], values: impl Iterator<Item = f32>, accumulate: bool) {
    if accumulate {
        out.iter_mut().zip(values).for_each(|(out, value)| *out += value);
    } else {
        out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
    }
}
