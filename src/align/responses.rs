//! The response mask of a batch.

use super::error::{AlignError, expect_len};

/// Marks the response tokens of a batch of B rows and T columns; prompt and padding are not marked.
#[derive(Clone, Copy, Debug)]
pub struct Responses<'a> {
    mask: &'a [bool],
    n_cols: usize,
}

impl<'a> Responses<'a> {
    /// A mask (B, T), row-major, with T = `n_cols`.
    ///
    /// # Errors
    /// When the mask is empty or does not consist of whole rows.
    pub fn new(mask: &'a [bool], n_cols: usize) -> Result<Self, AlignError> {
        let n_rows = mask.len().checked_div(n_cols).unwrap_or(0).max(1);
        expect_len("the response mask", mask.len(), n_rows * n_cols.max(1))?;
        Ok(Self { mask, n_cols })
    }

    /// B.
    pub fn n_rows(&self) -> usize {
        self.mask.len() / self.n_cols
    }

    /// T.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// The whole mask (B, T).
    pub fn mask(&self) -> &'a [bool] {
        self.mask
    }

    /// The mask of each row.
    pub fn rows(&self) -> impl Iterator<Item = &'a [bool]> {
        self.mask.chunks_exact(self.n_cols)
    }

    /// Number of response tokens of each row.
    pub fn lengths(&self) -> Vec<usize> {
        self.rows().map(count).collect()
    }

    /// Number of response tokens of the batch.
    pub fn n_tokens(&self) -> usize {
        count(self.mask)
    }
}

fn count(mask: &[bool]) -> usize {
    mask.iter().filter(|&&counts| counts).count()
}
