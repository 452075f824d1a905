//! Texts of files, whatever their format.

use std::io::Read;

use super::error::DataError;

/// The maximum size of a text in memory; a browser's wasm has no room for more together with its tokens.
pub(super) const MAX_BYTES: usize = 512 << 20;

/// The text of a file in UTF-8.
pub(super) trait Source: Read + Send {
    /// The number of skipped rows without text so far.
    fn skipped(&self) -> u64 {
        0
    }

    /// The reason why a finished source had no text.
    fn no_text(&self) -> DataError {
        DataError::Empty
    }
}
