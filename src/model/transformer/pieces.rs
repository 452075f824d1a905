//! Splits large layers into pieces: no dispatch takes more operations, or binds more bytes, than the plan's budget
//! allows. A layer that fits is a single piece.

use super::{Activations, Transformer};
use crate::gpu::recording::Slice;
use crate::model::memory::{MAX_ROWS, ROWS_UNIT};
use crate::model::params::LinearSlices;

/// Maximum number of workgroups in each direction that WebGPU allows.
const MAX_WORKGROUPS: usize = 65_535;

/// A range of rows of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub first: usize,
    pub n: usize,
}

impl Rows {
    /// These rows of a slice with `n_rows` rows.
    pub fn of(self, slice: Slice, n_rows: usize) -> Slice {
        let width = slice.len / n_rows;
        slice.part(self.first * width, self.n * width)
    }
}

/// Splits `n` items into pieces of at most `size`.
pub(super) fn pieces(n: usize, size: usize) -> impl Iterator<Item = Rows> {
    let size = size.clamp(1, n.max(1));
    (0..n).step_by(size).map(move |first| Rows { first, n: size.min(n - first) })
}

impl Transformer<'_> {
    /// Splits rows that take `flops_per_row` operations each into pieces.
    pub(super) fn row_pieces(&self, n_rows: usize, flops_per_row: f64) -> impl Iterator<Item = Rows> + use<> {
        let most = (self.plan.budget.dispatch_flops / flops_per_row.max(1.0)) as usize;
        pieces(n_rows, (most.min(MAX_ROWS) / ROWS_UNIT).max(1) * ROWS_UNIT)
    }

    /// Splits sequences into pieces, for attention with `products` matmuls of queries and keys.
    pub(super) fn sequence_pieces(&self, acts: &Activations, products: f64) -> impl Iterator<Item = Rows> + use<> {
        let flops = self.attention_flops(acts, products);
        // Pieces begin at valid slice offsets.
        let mut unit = 1;
        while !(unit * acts.window).is_multiple_of(ROWS_UNIT) {
            unit *= 2;
        }
        let most =
            ((self.plan.budget.dispatch_flops / flops.max(1.0)) as usize).min(MAX_WORKGROUPS / self.model().n_heads);
        pieces(acts.batch_size, (most / unit).max(1) * unit)
    }

    /// The parts of a buffer with one element per parameter that one dispatch binds.
    pub(super) fn param_pieces(&self) -> impl Iterator<Item = Rows> + use<> {
        pieces(self.table.buffer_len(), self.plan.param_piece)
    }

    /// The blocks of the vocabulary in the head.
    pub(super) fn vocabulary_blocks(&self) -> impl Iterator<Item = Rows> + use<> {
        pieces(self.model().vocab_size, self.plan.vocab_block)
    }

    /// The blocks of the vocabulary in the embedding: a single one where the table fits one binding.
    pub(super) fn table_blocks(&self) -> impl Iterator<Item = Rows> + use<> {
        let v = self.model().vocab_size;
        let fits = (v * self.model().d_model * 4) as u64 <= self.plan.budget.binding_bytes;
        pieces(v, if fits { v } else { self.plan.vocab_block })
    }

    /// A block of rows of the head's matrix.
    pub(super) fn head_block(&self, head: &LinearSlices, block: Rows) -> LinearSlices {
        LinearSlices { weight: block.of(head.weight, self.model().vocab_size), bias: None }
    }
}

/// Logits of `rows` in a block of the vocabulary, in a buffer of `n_rows` rows: consecutive blocks (`n_rows`, width).
pub(super) fn logits_block(acts: &Activations, n_rows: usize, rows: Rows, block: Rows) -> Slice {
    acts.logits.part(block.first * n_rows + rows.first * block.n, rows.n * block.n)
}
