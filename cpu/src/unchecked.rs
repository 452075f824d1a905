//! Everything that the compiler cannot check. No other file of this program may say `unsafe`; a test holds that.
//!
//! Each of the functions here is safe to call: it checks what the unsafe code needs, or says why it always holds.

#![allow(unsafe_code)]

use std::fs::File;

pub use memmap2::Mmap;

use crate::threads;

/// Maps a file of tokens into memory.
///
/// # Errors
/// When the system refuses.
pub fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the bytes must not change while they are mapped. `TokenFile::write` writes under another name and renames
    // the whole file into place, and nothing here ever writes into a finished one. What another program does to it
    // meanwhile gives other ids, each of which is checked against the vocabulary; shortening the file ends the program.
    unsafe { Mmap::map(file) }
}

/// Runs `work`, compiled for 256-bit vectors where this processor has them. The results are the same to the bit either
/// way: the compiler neither reorders sums nor fuses products into them.
pub fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as was asked just now.
            return unsafe { avx2(work) };
        }
    }
    work()
}

/// A matrix to read, in a slice.
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
    /// When it does not lie within `data`.
    pub fn new(data: &'a [f32], [rows, cols]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(data.len(), [rows, cols], row_stride), "({rows}, {cols}) by {row_stride} of {}", data.len());
        Self { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        let Self { data, rows, cols, row_stride, col_stride } = self;
        Self { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride }
    }
}

/// A matrix to write, in a slice.
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
    /// When it does not lie within `data`, or its rows overlap.
    pub fn new(data: &'a mut [f32], [rows, cols]: [usize; 2], row_stride: usize) -> Self {
        assert!(fits(data.len(), [rows, cols], row_stride), "({rows}, {cols}) by {row_stride} of {}", data.len());
        assert!(rows < 2 || row_stride >= cols, "rows of {cols} overlap when they begin every {row_stride}");
        Self { data, rows, cols, row_stride }
    }
}

/// Whether the last element of (rows, cols) lies within `len`.
fn fits(len: usize, [rows, cols]: [usize; 2], row_stride: usize) -> bool {
    let end = rows.saturating_sub(1).checked_mul(row_stride).and_then(|start| start.checked_add(cols));
    rows == 0 || cols == 0 || end.is_some_and(|end| end <= len)
}

/// y ← scale · a·b, added to what `y` holds when `accumulate`. Large products use all threads.
///
/// # Panics
/// When the sizes do not match.
pub fn multiply(a: Matrix<'_>, b: Matrix<'_>, y: MatrixMut<'_>, scale: f32, accumulate: bool) {
    assert_eq!((a.rows, a.cols, b.cols), (y.rows, b.rows, y.cols), "sizes of a matrix product");
    // Strides of slices fit: no slice is longer than isize::MAX bytes. That of a single row is never followed, and it
    // may be anything.
    let stride = |stride: usize| stride as isize;
    // SAFETY: `Matrix::new` and `MatrixMut::new` have seen that every element of a, b and y lies within its slice, and
    // that no two elements of y are the same. y is borrowed for writing, so it is neither a nor b. Nothing is read from
    // y unless `accumulate`, and all of it is initialised anyway.
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
