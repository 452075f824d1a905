//! Fast CPU counterparts of the references in `glasshead::ops`, for Glasshead's CPU backend: loops that compile to vector
//! instructions, on all threads. Tests compare each with its reference.
//!
//! This is a separate crate so that it is optimized for speed even where the rest is optimized for size, as on the page.
//!
//! The division of work depends on its size alone, and every sum has a fixed order, so results are bit-identical on any
//! number of threads. Sums use `LANES` partial sums: additions need not wait for each other, and the compiler may not
//! reorder them itself.

pub mod activation;
pub mod attention;
pub mod elementwise;
pub mod embedding;
pub mod exp;
pub mod loss;
pub mod math;
pub mod norm;
pub mod portable;
pub mod rope;
pub mod softmax;
pub mod threads;
pub mod unchecked;
pub mod update;

/// Minimum number of elements in a piece of work.
const GRAIN: usize = 1 << 14;

/// Number of parallel partial sums.
const LANES: usize = 16;

/// Number of rows of `width` elements in a piece of work.
fn rows_per_piece(width: usize) -> usize {
    (GRAIN / width.max(1)).max(1)
}

/// Σ term(a, b, c) over three slices of equal length.
#[inline(always)]
fn sum3(a: &[f32], b: &[f32], c: &[f32], term: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let (c, c_rest) = c.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for ((a, b), c) in a.iter().zip(b).zip(c) {
        for lane in 0..LANES {
            lanes[lane] += term(a[lane], b[lane], c[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).zip(c_rest).map(|((&a, &b), &c)| term(a, b, c)).sum();
    total(lanes) + rest
}

/// Σ term(a, b) over two slices of equal length.
#[inline(always)]
fn sum2(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    sum3(a, b, b, |a, b, _| term(a, b))
}

/// Σ term(a)
#[inline(always)]
fn sum(a: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    sum3(a, a, a, |a, _, _| term(a))
}

/// The largest value, or −∞ if there is none; NaN is ignored, as in `f32::max`.
#[inline(always)]
fn largest(a: &[f32]) -> f32 {
    let (chunks, rest) = a.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
        }
    }
    rest.iter().chain(&lanes).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Sums pairs of lanes, then pairs of pairs.
#[inline(always)]
fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
