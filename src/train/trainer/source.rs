//! Where the tokens are, and how the device gets those of a batch.

use super::Trainer;
use crate::data::TokenFile;
use crate::gpu::backend::Writes;
use crate::gpu::recording::Slice;

/// Where the tokens are.
pub(super) enum TokenSource {
    /// All on the device.
    Device { n_train: usize, n_val: usize },
    /// In a file, of which the first `n_train` are trained on and the others held out. The device gets the windows of
    /// one batch at a time.
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
    /// What tells the device where the sequences of a batch start: in all of its tokens, or, for tokens in a file, in
    /// `buffer`, into which their windows are copied. `offset` is where the file's part begins. What cannot be read is
    /// kept for [`Trainer::collect`]; the device then repeats what it has.
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
