//! The CPU backend: runs a recording with each kernel's CPU function, in order, on this thread.

use std::cell::RefCell;

use half::f16;

use super::kernel::{Access, CpuBuffer, CpuCall};
use super::recording::{Buffers, Recording, Slice, Storage};

/// The buffers of a run in main memory.
pub struct CpuBackend {
    buffers: Vec<CpuBuffer>,
    /// What is stored in 16 bits on a GPU is in 32 here, rounded after every dispatch.
    table: Buffers,
}

impl CpuBackend {
    /// Allocates every buffer of the table, filled with zeros.
    pub fn new(buffers: &Buffers) -> Self {
        let table = buffers.clone();
        Self { buffers: buffers.specs.iter().map(|spec| RefCell::new(vec![0; spec.len])).collect(), table }
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
        let written = dispatch.bindings.iter().zip(dispatch.kernel.access);
        for (&slice, _) in written.filter(|(_, access)| **access == Access::ReadWrite) {
            if self.table.storage(slice) == Storage::F16 {
                round(&mut self.buffers[slice.buffer.0].borrow_mut()[slice.start..slice.start + slice.len]);
            }
        }
    }

    /// Overwrites the beginning of a slice.
    ///
    /// # Panics
    /// When `words` is longer than the slice.
    pub fn write(&self, slice: Slice, words: &[u32]) {
        assert!(words.len() <= slice.len, "{} words for a slice of {}", words.len(), slice.len);
        let mut buffer = self.buffers[slice.buffer.0].borrow_mut();
        let written = &mut buffer[slice.start..slice.start + words.len()];
        written.copy_from_slice(words);
        if self.table.storage(slice) == Storage::F16 {
            round(written);
        }
    }

    /// A copy of a slice.
    pub fn read(&self, slice: Slice) -> Vec<u32> {
        self.buffers[slice.buffer.0].borrow()[slice.start..slice.start + slice.len].to_vec()
    }
}

/// Numbers become what 16 bits can hold.
fn round(numbers: &mut [u32]) {
    for bits in numbers {
        *bits = f16::from_f32(f32::from_bits(*bits)).to_f32().to_bits();
    }
}
