//! Elementwise operations over one, two or three slices of equal length.

use crate::GRAIN;
use crate::threads;
use crate::unchecked::wide;

/// `out[i] ← weight · a[i]`, added to the values of `out` when `accumulate`.
pub fn add_scaled(out: &mut [f32], a: &[f32], weight: f32, accumulate: bool) {
    threads::each(out.chunks_mut(GRAIN).zip(a.chunks(GRAIN)).collect(), |(out, a)| {
        wide(|| match accumulate {
            true => out.iter_mut().zip(a).for_each(|(out, &a)| *out += weight * a),
            false => out.iter_mut().zip(a).for_each(|(out, &a)| *out = weight * a),
        });
    });
}

/// `out[i] ← a[i] + b[i]`
pub fn add(out: &mut [f32], a: &[f32], b: &[f32]) {
    map2(out, [a, b], |a, b| a + b);
}

/// `out[i] ← f(a[i], b[i])`
pub(crate) fn map2(out: &mut [f32], [a, b]: [&[f32]; 2], f: impl Fn(f32, f32) -> f32 + Sync + Send) {
    threads::each(out.chunks_mut(GRAIN).zip(a.chunks(GRAIN)).zip(b.chunks(GRAIN)).collect(), |((out, a), b)| {
        wide(|| out.iter_mut().zip(a).zip(b).for_each(|((out, &a), &b)| *out = f(a, b)));
    });
}

/// `x[i] ← scale · x[i]`
pub fn scale(x: &mut [f32], scale: f32) {
    // Multiplying by 1 would not change a bit.
    if scale != 1.0 {
        threads::each(x.chunks_mut(GRAIN).collect(), |x| wide(|| x.iter_mut().for_each(|x| *x *= scale)));
    }
}
