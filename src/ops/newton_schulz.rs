//! Orthogonalization by a Newton–Schulz iteration, as in the optimizer Muon (Jordan et al. 2024): it moves all singular
//! values of a matrix towards 1 with matmuls alone. A composition of other operations.
//!
//! X ← G / ‖G‖_F, then repeatedly X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ (for tall matrices the same with A = Xᵀ·X on the
//! right). The coefficients let small singular values grow fast; the results lie near 1, not at it.

use super::accumulate::accumulate;
use super::matmul::{Layout, Shape, matmul};
use super::rmsnorm::{self, rmsnorm};
use super::step::Step;
use crate::gpu::recording::{Recording, Slice};

/// a, b and c of the quintic polynomial.
pub const COEFFICIENTS: [f32; 3] = [3.4445, -4.775, 2.0315];

/// The smallest norm that a matrix is divided by, as in PyTorch's Muon.
const MIN_NORM: f32 = 1e-7;

/// The buffers of one orthogonalization, of a matrix (m, n) and with s = min(m, n).
#[derive(Clone, Copy, Debug)]
pub struct Buffers {
    /// Three [`Step`]s, one for each of [`COEFFICIENTS`]: see [`steps`].
    pub steps: [Slice; 3],
    /// m·n copies of [`gain`].
    pub gain: Slice,
    /// Receives one number.
    pub inv_rms: Slice,
    /// Three buffers (m, n); [`newton_schulz`] returns the one with the result.
    pub x: [Slice; 3],
    /// Three buffers (s, s).
    pub squares: [Slice; 3],
}

/// The contents of [`Buffers::steps`]: the second one adds to the first one's result.
pub fn steps() -> [Step; 3] {
    let [a, b, c] = COEFFICIENTS.map(|weight| Step { weight, first: 1, ..bytemuck::Zeroable::zeroed() });
    [a, b, Step { first: 0, ..c }]
}

/// The gain of an RMSNorm over a whole matrix of `len` elements that makes its Frobenius norm 1.
pub fn gain(len: usize) -> f32 {
    (1.0 / len as f64).sqrt() as f32
}

/// Appends `iterations` iterations on the matrix `g`; returns the buffer with the result.
pub fn newton_schulz(recording: &mut Recording, g: Slice, [m, n]: [usize; 2], iterations: u32, at: &Buffers) -> Slice {
    let [mut x, mut next, scaled] = at.x;
    let len = m * n;
    let eps = MIN_NORM * MIN_NORM / len as f32;
    let params = rmsnorm::Params { n_rows: 1, d_model: len as u32, eps, accumulate: 0 };
    rmsnorm(recording, [g, at.gain, x, at.inv_rms], params);
    let [gram, gram_squared, polynomial] = at.squares;
    let side = m.min(n);
    let square = Shape { m: side, n: side, k: side };
    for _ in 0..iterations {
        match m <= n {
            true => matmul(recording, Layout::Nt, [x, x, gram], Shape { m, n: m, k: n }, None),
            false => matmul(recording, Layout::Tn, [x, x, gram], Shape { m: n, n, k: m }, None),
        }
        matmul(recording, Layout::Nn, [gram, gram, gram_squared], square, None);
        accumulate(recording, [at.steps[1], gram, polynomial]);
        accumulate(recording, [at.steps[2], gram_squared, polynomial]);
        accumulate(recording, [at.steps[0], x, scaled]);
        let (factors, k) = if m <= n { ([polynomial, x], m) } else { ([x, polynomial], n) };
        matmul(recording, Layout::Nn, [factors[0], factors[1], next], Shape { m, n, k }, Some(scaled));
        (x, next) = (next, x);
    }
    x
}
