//! The CPU backend: runs each kernel's CPU function in order, on this thread.

use std::cell::RefCell;

use half::f16;

use super::kernel::{Access, CpuBuffer, CpuCall};
use super::recording::{Buffers, Recording, Slice, Storage};

/// Whether pieces of these sizes in bytes can be allocated at the same time. They are freed again.
pub fn has_room(sizes: impl IntoIterator<Item = usize>) -> bool {
    let mut pieces = Vec::new();
    sizes.into_iter().all(|bytes| {
        let mut piece = Vec::<u8>::new();
        let fits = piece.try_reserve_exact(bytes).is_ok();
        // Compilers remove allocations that are never used.
        pieces.push(std::hint::black_box(piece));
        fits
    })
}

/// The buffers of a run in main memory. Each is allocated on first use: a model that is only inspected has no gradients
/// and moments.
pub struct CpuBackend {
    buffers: Vec<CpuBuffer>,
    /// Buffers that are f16 on a GPU are f32 here, rounded to f16 after every dispatch.
    table: Buffers,
}

impl CpuBackend {
    /// Creates every buffer of the table, filled with zeros.
    pub fn new(buffers: &Buffers) -> Self {
        let table = buffers.clone();
        Self { buffers: table.specs.iter().map(|_| RefCell::new(Vec::new())).collect(), table }
    }

    /// Replaces the buffers from index `first` on with those of `table`, filled with zeros.
    pub fn replace_buffers(&mut self, first: usize, table: &Buffers) {
        self.buffers.truncate(first);
        self.buffers.resize_with(table.specs.len(), CpuBuffer::default);
        self.table = table.clone();
    }

    /// Allocates all memory that a recording needs, or none.
    ///
    /// # Errors
    /// The number of missing bytes.
    pub fn make_room(&self, recording: &Recording) -> Result<(), u64> {
        let (mut new, mut missing) = (Vec::new(), 0);
        for &slice in recording.dispatches.iter().flat_map(|dispatch| &dispatch.bindings) {
            let more = self.lacking(slice);
            let mut words = self.buffers[slice.buffer.0].borrow_mut();
            if more > 0 && words.is_empty() && !new.contains(&slice.buffer) {
                new.push(slice.buffer);
                match words.try_reserve_exact(more) {
                    Ok(()) => words.resize(more, 0),
                    Err(_) => missing += 4 * more as u64,
                }
            }
        }
        if missing > 0 {
            new.iter().for_each(|id| drop(self.buffers[id.0].take()));
            return Err(missing);
        }
        Ok(())
    }

    /// How many elements the buffer of a slice still has to grow.
    fn lacking(&self, slice: Slice) -> usize {
        let spec = &self.table.specs[slice.buffer.0];
        let wanted = if spec.grows { slice.start + slice.len } else { spec.len };
        wanted.saturating_sub(self.buffers[slice.buffer.0].borrow().len())
    }

    /// The buffer of a slice, allocated.
    fn buffer(&self, slice: Slice) -> &CpuBuffer {
        let (buffer, more) = (&self.buffers[slice.buffer.0], self.lacking(slice));
        if more > 0 {
            let mut words = buffer.borrow_mut();
            // Zeroed memory from the system costs nothing until it is written.
            if words.is_empty() {
                *words = vec![0; more];
            } else {
                let len = words.len() + more;
                words.reserve_exact(more);
                words.resize(len, 0);
            }
        }
        buffer
    }

    /// Bytes of each buffer; 0 for those that were not used yet.
    pub fn buffer_bytes(&self) -> Vec<u64> {
        self.buffers.iter().map(|buffer| 4 * buffer.borrow().len() as u64).collect()
    }

    /// Runs one dispatch of a recording.
    pub fn run_dispatch(&self, recording: &Recording, index: usize) {
        let dispatch = &recording.dispatches[index];
        let bindings =
            dispatch.bindings.iter().map(|&slice| (self.buffer(slice), slice.start..slice.start + slice.len)).collect();
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
        let mut buffer = self.buffer(slice).borrow_mut();
        let written = &mut buffer[slice.start..slice.start + words.len()];
        written.copy_from_slice(words);
        if self.table.storage(slice) == Storage::F16 {
            round(written);
        }
    }

    /// Fills a slice with zeros.
    pub fn clear(&self, slice: Slice) {
        let mut words = self.buffers[slice.buffer.0].borrow_mut();
        let end = words.len().min(slice.start + slice.len);
        words[slice.start.min(end)..end].fill(0);
    }

    /// Returns a copy of a slice.
    pub fn read(&self, slice: Slice) -> Vec<u32> {
        let words = self.buffers[slice.buffer.0].borrow();
        let end = words.len().min(slice.start + slice.len);
        let mut copy = Vec::with_capacity(slice.len);
        copy.extend_from_slice(&words[slice.start.min(end)..end]);
        copy.resize(slice.len, 0);
        copy
    }
}

/// Rounds f32 values to f16.
fn round(numbers: &mut [u32]) {
    for bits in numbers {
        *bits = f16::from_f32(f32::from_bits(*bits)).to_f32().to_bits();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::kernel::Kernel;

    #[test]
    fn room_is_asked_for_all_at_once() {
        assert!(has_room([]));
        assert!(has_room([1 << 20, 0, 1 << 20]));
        assert!(!has_room([1 << 20, usize::MAX / 4]));
    }

    #[test]
    fn memory_comes_with_the_first_use() {
        let mut table = Buffers::default();
        let (whole, part) = (table.add("whole", 100), table.add("part", 1000));
        table.specs[1].grows = true;
        let cpu = CpuBackend::new(&table);
        let sizes = || cpu.buffers.iter().map(|buffer| buffer.borrow().len()).collect::<Vec<_>>();
        cpu.clear(whole);
        assert_eq!((cpu.read(whole), sizes()), (vec![0; 100], vec![0, 0]), "zeros are read, and nothing is held");
        cpu.write(whole.part(3, 1), &[7]);
        cpu.write(part.part(64, 2), &[8, 9]);
        assert_eq!(sizes(), [100, 66]);
        cpu.write(part.part(128, 1), &[5]);
        assert_eq!((sizes(), cpu.read(part)[64..67].to_vec()), (vec![100, 129], vec![8, 9, 0]));
        cpu.clear(part);
        assert_eq!((sizes(), cpu.read(part)), (vec![100, 129], vec![0; 1000]));
    }

    #[test]
    fn what_has_no_room_changes_nothing() {
        static NOTHING: Kernel = Kernel {
            name: "nothing",
            wgsl: &[],
            access: &[Access::Read; 3],
            params_bytes: 4,
            loops: |_| 0,
            cpu: |_| (),
        };
        let mut table = Buffers::default();
        let small = table.add("small", 64);
        let huge = [(); 2].map(|()| table.add("huge", usize::MAX / 8).part(0, 64));
        let (mut too_large, mut fits) = (Recording::new("too large"), Recording::new("fits"));
        too_large.dispatch(&NOTHING, 0u32, &[small, huge[0], huge[1]], [1, 1, 1]);
        fits.dispatch(&NOTHING, 0u32, &[small; 3], [1, 1, 1]);
        let cpu = CpuBackend::new(&table);
        assert_eq!(cpu.make_room(&too_large), Err(2 * 4 * (usize::MAX / 8) as u64));
        assert!(cpu.buffers.iter().all(|buffer| buffer.borrow().is_empty()));
        assert_eq!(cpu.make_room(&fits), Ok(()));
        assert_eq!(cpu.buffers[0].borrow().len(), 64);
    }
}
