//! Prepared recordings, and what is written before they run.

use super::recording::Slice;

/// Handle of a prepared recording; valid only for the backend that returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program(pub(super) usize);

/// Writes before a run: each slice and the words that overwrite its beginning.
pub type Writes = Vec<(Slice, Vec<u32>)>;
