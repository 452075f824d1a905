//! The source of the tokens, and the transfer of a batch to the device.

use super::Trainer;
use crate::data::TokenFile;
use crate::gpu::backend::Writes;
use crate::gpu::recording::Slice;

/// The location of the tokens.
pub(super) enum TokenSource {
    /// All tokens are on the device.
    Device { n_train: usize, n_val: usize },
    /// The tokens are in a file, the first `n_train` for training and the others held out. The windows of one batch at a time
    /// are copied to the device.
    File { tokens: TokenFile, n_train: usize },
}

impl TokenSource {
    pub(super) fn n_train(&self) -> usize {
        match self {
            Self::Device { n_train, .. } | Self::File { n_train, .. } => *n_train,
        }
    }

    pub(super) fn n_val(&self) -> usize {
        match self {
            Self::Device { n_val, .. } => *n_val,
            Self::File { tokens, n_train } => tokens.len() - n_train,
        }
    }
}

impl Trainer {
    /// The writes that specify the start positions of a batch: in all tokens on the device, or, for tokens in a file, in
    /// `buffer`, to which their windows are copied. `offset` is the start of the relevant part of the file. A read error is
    /// stored for [`Trainer::collect`]; the device then reuses its previous batch.
    pub(super) fn place(&mut self, starts: &[u32], offset: usize, buffer: Slice) -> Writes {
        let TokenSource::File { tokens, .. } = &mut self.source else {
            return vec![(self.plan.starts, starts.to_vec())];
        };
        let window = self.config.model.context_length + 1;
        let mut staged = Vec::with_capacity(starts.len() * window);
        for &start in starts {
            let start = offset + start as usize;
            match tokens.read(start..start + window) {
                Ok(ids) => staged.extend(ids),
                Err(error) => {
                    self.unreadable = Some(error.into());
                    return Writes::new();
                }
            }
        }
        let starts = (0..starts.len()).map(|sequence| (sequence * window) as u32).collect();
        vec![(buffer, staged), (self.plan.starts, starts)]
    }
}
