//! Matrix products that are bit-identical on every platform.
//!
//! The crate `gemm` uses fused multiplications where a processor has them, and blocks whose size depends on its caches. In a
//! browser it has neither: products are rounded before they are added, in the order of the inner dimension, in blocks of
//! fixed size. These loops do the same everywhere, at a fraction of the speed, so that a run in a browser can be repeated
//! natively to the bit.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether all matrix products use these loops.
static PORTABLE: AtomicBool = AtomicBool::new(false);

/// Length of a block of the inner dimension.
const BLOCK: usize = 512;

/// Up to this many rows and columns, all blocks but the last have the full length; otherwise they are equally long.
const SMALL: usize = 64;

/// Makes all matrix products of this process bit-identical to those of a browser.
pub fn set_portable(portable: bool) {
    PORTABLE.store(portable, Ordering::Relaxed);
}

/// Whether [`set_portable`] is in force.
pub fn is_portable() -> bool {
    PORTABLE.load(Ordering::Relaxed)
}

/// One element of a matrix product per call: `y(row)` is the row to write, `a(row, k)` and `b(k, row of columns)` read the
/// factors. Shapes are (m, k) · (k, n) → (m, n).
pub(crate) fn multiply<'y>(
    [m, k, n]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
    rows: impl Iterator<Item = &'y mut [f32]>,
    scale: f32,
    accumulate: bool,
) {
    // b row by row, whatever its layout.
    let b: Vec<f32> = (0..k).flat_map(|k| (0..n).map(move |j| (k, j))).map(|(k, j)| b(k, j)).collect();
    let block = block_len([m, k, n]);
    let mut sums = vec![0.0; n];
    for (i, y) in rows.enumerate() {
        if k == 0 && !accumulate {
            y.fill(0.0);
        }
        for start in (0..k).step_by(block.max(1)) {
            sums.fill(0.0);
            for k in start..(start + block).min(k) {
                let factor = a(i, k);
                sums.iter_mut().zip(&b[k * n..][..n]).for_each(|(sum, b)| *sum += factor * b);
            }
            let adds = accumulate || start > 0;
            y.iter_mut().zip(&sums).for_each(|(y, sum)| *y = if adds { scale * sum + *y } else { scale * sum });
        }
    }
}

fn block_len([m, k, n]: [usize; 3]) -> usize {
    if m <= SMALL && n <= SMALL { k.min(BLOCK) } else { k.div_ceil(k.div_ceil(BLOCK).max(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_those_of_a_browser() {
        assert_eq!([[8, 100, 8], [64, 1000, 64]].map(block_len), [100, 512]);
        assert_eq!([[65, 1000, 8], [8, 1025, 65], [65, 512, 65]].map(block_len), [500, 342, 512]);
    }

    #[test]
    fn products_are_rounded_before_they_are_added() {
        // Fused, (1 + ε)² − 1 − 2ε would be ε²; rounded, it is 0.
        let epsilon = f32::EPSILON;
        let (a, b) = ([1.0 + 2.0 * epsilon, 1.0], [1.0 + 2.0 * epsilon, -1.0 - 4.0 * epsilon]);
        let mut y = [5.0];
        multiply([1, 2, 1], |_, k| a[k], |k, _| b[k], std::iter::once(&mut y[..]), 1.0, false);
        assert_eq!(y, [0.0]);
        multiply([1, 2, 1], |_, k| a[k], |_, _| 1.0, std::iter::once(&mut y[..]), 2.0, true);
        assert_eq!(y, [2.0 * (2.0 + 2.0 * epsilon)]);
    }
}
