//! Maps over one, two or three slices of equal length.

use super::GRAIN;
use crate::threads;
use crate::unchecked::wide;

/// `out[i] ← f(out[i], a[i])`
pub fn update(out: &mut [f32], a: &[f32], f: impl Fn(f32, f32) -> f32 + Sync + Send) {
    threads::each(out.chunks_mut(GRAIN).zip(a.chunks(GRAIN)).collect(), |(out, a)| {
        wide(|| out.iter_mut().zip(a).for_each(|(out, &a)| *out = f(*out, a)));
    });
}

/// `out[i] ← f(a[i], b[i])`
pub fn map2(out: &mut [f32], [a, b]: [&[f32]; 2], f: impl Fn(f32, f32) -> f32 + Sync + Send) {
    threads::each(out.chunks_mut(GRAIN).zip(a.chunks(GRAIN)).zip(b.chunks(GRAIN)).collect(), |((out, a), b)| {
        wide(|| out.iter_mut().zip(a).zip(b).for_each(|((out, &a), &b)| *out = f(a, b)));
    });
}

/// `x[i] ← scale · x[i]`
pub fn scale(x: &mut [f32], scale: f32) {
    // The product with 1 changes nothing, not even a bit.
    if scale != 1.0 {
        threads::each(x.chunks_mut(GRAIN).collect(), |x| wide(|| x.iter_mut().for_each(|x| *x *= scale)));
    }
}
