//! All code that the compiler cannot check. No other file of this program may use `unsafe`, which a test enforces.
//!
//! Each function here is safe to call: it checks the requirements of the unsafe code, or documents why they always hold.

#![allow(unsafe_code)]

use std::fs::File;

pub use memmap2::Mmap;

use crate::{portable, threads};

/// Maps a file of tokens into memory.
///
/// # Errors
/// When the system refuses the mapping.
pub fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the bytes must not change while they are mapped. `TokenFile::write` writes under another name and renames
    // the complete file into place, and this program never writes to a finished one. Changes by another program yield
    // other ids, each of which is checked against the vocabulary; truncating the file ends the program.
    unsafe { Mmap::map(file) }
}

/// Runs `work`, compiled for 256-bit vectors where this processor has them. The results are bit-identical either way: the
/// compiler neither reorders sums nor fuses multiplications into them.
pub fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as just checked.
            return unsafe { avx2(work) };
        }
    }
    work()
}

/// A read-only matrix in a slice.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The matrix (rows, cols) whose rows begin at multiples of `row_stride` elements.
    ///
    /// # Panics
    /// When the matrix exceeds `data`.
    pub fn new(data: &'a [f32], [rows, cols]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(data.len(), [rows, cols], row_stride), "({rows}, {cols}) by {row_stride} of {}", data.len());
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// The transposed matrix, over the same data.
    pub fn transposed(self) -> Self {
        let Self { data, rows, cols, row_stride, col_stride } = self;
        Self { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride }
    }
}

/// A writable matrix in a slice.
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// The matrix (rows, cols) whose rows begin at multiples of `row_stride` elements.
    ///
    /// # Panics
    /// When the matrix exceeds `data`, or its rows overlap.
    pub fn new(data: &'a mut [f32], [rows, cols]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(data.len(), [rows, cols], row_stride), "({rows}, {cols}) by {row_stride} of {}", data.len());
        assert!(rows < 2 || row_stride >= cols, "rows of {cols} overlap when they begin every {row_stride}");
        Self { data, rows, cols, row_stride }
    }
}

/// Whether the last element of (rows, cols) is within `len`.
fn fits(len: usize, [rows, cols]: [usize; 2], row_stride: usize) -> bool {
    let end = rows.saturating_sub(1).checked_mul(row_stride).and_then(|start| start.checked_add(cols));
    rows == 0 || cols == 0 || end.is_some_and(|end| end <= len)
}

/// y ← scale · a·b, added to the values of `y` when `accumulate`. Large matmuls use all threads.
///
/// # Panics
/// When the sizes do not match.
pub fn multiply(a: Matrix<'_>, b: Matrix<'_>, y: MatrixMut<'_>, scale: f32, accumulate: bool) {
    assert_eq!((a.rows, a.cols, b.cols), (y.rows, b.rows, y.cols), "sizes of a matrix product");
    if portable::is_portable() && y.rows > 0 && y.cols > 0 {
        let [a_at, b_at] = [a, b].map(|of| move |i, j| of.data[i * of.row_stride + j * of.col_stride]);
        let rows = y.data.chunks_mut(y.row_stride.max(1)).map(|row| &mut row[..y.cols]).take(y.rows);
        return portable::multiply([y.rows, a.cols, y.cols], a_at, b_at, rows, scale, accumulate);
    }
    // Strides of slices fit: no slice is longer than isize::MAX bytes. The stride of a single row is never used, and may
    // have any value.
    let stride = |stride: usize| stride as isize;
    // SAFETY: `Matrix::new` and `MatrixMut::new` have checked that every element of a, b and y is within its slice, and
    // that no two elements of y overlap. y is mutably borrowed, so it is neither a nor b. y is read only if `accumulate`,
    // and all of it is initialized anyway.
    unsafe {
        gemm::gemm(
            y.rows,
            y.cols,
            a.cols,
            y.data.as_mut_ptr(),
            1,
            stride(y.row_stride),
            accumulate,
            a.data.as_ptr(),
            stride(a.col_stride),
            stride(a.row_stride),
            b.data.as_ptr(),
            stride(b.col_stride),
            stride(b.row_stride),
            1.0,
            scale,
            false,
            false,
            false,
            threads::for_products(),
        );
    }
}
