//! The CPU backend: runs a recording with each kernel's CPU function, in order, on this thread.

use std::cell::RefCell;

use super::kernel::{CpuBuffer, CpuCall};
use super::recording::{Buffers, Recording, Slice};

/// The buffers of a run in main memory.
pub struct CpuBackend {
    buffers: Vec<CpuBuffer>,
}

impl CpuBackend {
    /// Allocates every buffer of the table, filled with zeros.
    pub fn new(buffers: &Buffers) -> Self {
        Self { buffers: buffers.specs.iter().map(|spec| RefCell::new(vec![0; spec.len])).collect() }
    }

    /// Runs one dispatch of a recording.
    pub fn run_dispatch(&self, recording: &Recording, index: usize) {
        let dispatch = &recording.dispatches[index];
        let bindings = dispatch
            .bindings
            .iter()
            .map(|slice| (&self.buffers[slice.buffer.0], slice.start..slice.start + slice.len))
            .collect();
        (dispatch.kernel.cpu)(&CpuCall { params: recording.params(index), bindings });
    }

    /// Overwrites the beginning of a slice.
    ///
    /// # Panics
    /// When `words` is longer than the slice.
    pub fn write(&self, slice: Slice, words: &[u32]) {
        assert!(words.len() <= slice.len, "{} words for a slice of {}", words.len(), slice.len);
        self.buffers[slice.buffer.0].borrow_mut()[slice.start..slice.start + words.len()].copy_from_slice(words);
    }

    /// A copy of a slice.
    pub fn read(&self, slice: Slice) -> Vec<u32> {
        self.buffers[slice.buffer.0].borrow()[slice.start..slice.start + slice.len].to_vec()
    }
}
