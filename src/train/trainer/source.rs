//! The source of the tokens, and the transfer of a batch to the device.

use std::ops::Range;

use super::Trainer;
use crate::align::{AlignError, TokenRow};
use crate::data::{DataError, TokenFile};
use crate::gpu::backend::Writes;
use crate::gpu::recording::Slice;

/// Where the data of a run's steps comes from: windows of a text, whose training tokens are followed by the held-out ones, or rows
/// of tokens. A source of rows has no windows; its defaults leave the buffers for them a token long.
pub trait BatchSource {
    /// Number of training tokens.
    fn n_train(&self) -> usize {
        1
    }

    /// Number of held-out tokens.
    fn n_val(&self) -> usize {
        1
    }

    /// Numbers of training and held-out tokens that the device holds, where one batch needs `batch_tokens`.
    fn on_device(&self, _batch_tokens: usize) -> [usize; 2] {
        [self.n_train(), self.n_val()]
    }

    /// Reads tokens that are to be copied to the device for a batch; `None` if it holds all tokens.
    fn read(&mut self, _range: Range<usize>) -> Option<Result<Vec<u32>, DataError>> {
        None
    }

    /// `n` prompts with responses for the update after `step` steps, the same ones whenever they are requested; `None` for a
    /// source of windows.
    fn rows(&self, _step: u64, _n: usize) -> Option<Result<Vec<TokenRow>, AlignError>> {
        None
    }
}

/// No windows: the rows of every step are passed to it.
pub(super) struct RowsOnly;

impl BatchSource for RowsOnly {}

/// All tokens are on the device.
pub(super) struct DeviceTokens {
    pub(super) n_train: usize,
    pub(super) n_val: usize,
}

/// The tokens are in a file, the first `n_train` for training. The windows of one batch at a time are copied to the device.
pub(super) struct FileTokens {
    pub(super) tokens: TokenFile,
    pub(super) n_train: usize,
}

impl BatchSource for DeviceTokens {
    fn n_train(&self) -> usize {
        self.n_train
    }

    fn n_val(&self) -> usize {
        self.n_val
    }
}

impl BatchSource for FileTokens {
    fn n_train(&self) -> usize {
        self.n_train
    }

    fn n_val(&self) -> usize {
        self.tokens.len() - self.n_train
    }

    fn on_device(&self, batch_tokens: usize) -> [usize; 2] {
        [batch_tokens; 2]
    }

    fn read(&mut self, range: Range<usize>) -> Option<Result<Vec<u32>, DataError>> {
        Some(self.tokens.read(range))
    }
}

impl Trainer {
    /// The writes that specify the start positions of a batch: in all tokens on the device, or, for tokens in a file, in
    /// `buffer`, to which their windows are copied. `offset` is the start of the relevant part of the file. A read error is
    /// stored for [`Trainer::collect`]; the device then reuses its previous batch.
    pub(super) fn place(&mut self, starts: &[u32], offset: usize, buffer: Slice) -> Writes {
        let window = self.config.model.context_length + 1;
        let mut staged = Vec::with_capacity(starts.len() * window);
        for &start in starts {
            let start = offset + start as usize;
            match self.source.read(start..start + window) {
                None => return vec![(self.plan.starts, starts.to_vec())],
                Some(Ok(ids)) => staged.extend(ids),
                Some(Err(error)) => {
                    self.unreadable = Some(error.into());
                    return Writes::new();
                }
            }
        }
        let starts = (0..starts.len()).map(|sequence| (sequence * window) as u32).collect();
        vec![(buffer, staged), (self.plan.starts, starts)]
    }
}
