//! Kernels that compute what several consecutive dispatches compute. Each dispatch costs a GPU some microseconds, whatever
//! it computes, and what is passed from one to the next goes through memory. As with variants, recordings name the kernels
//! that every device can run, and are fused where a device computes the fusion correctly and faster (`ops::tuning`).

use super::kernel::Kernel;
use super::recording::{Recording, Slice};

/// A kernel in place of several consecutive dispatches. It leaves in all of their buffers what they would, except for
/// results that only a fused dispatch reads.
pub struct Fusion {
    /// Name under which the choice is stored and overridden. Fusions with the same key are alternatives.
    pub key: &'static str,
    /// The kernel that runs instead.
    pub kernel: &'static Kernel,
    /// The variant with the same tiles. A device that does not use it for any separate dispatch gains nothing from the fusion.
    pub tiles: &'static Kernel,
    /// The dispatch that replaces those from an index on; `None` where the kernel does not compute what they do.
    pub fuse: fn(&Recording, usize) -> Option<Fused>,
}

/// A dispatch that replaces several.
pub struct Fused {
    /// Number of dispatches that it replaces.
    pub dispatches: usize,
    /// The bytes of its parameters.
    pub params: Vec<u8>,
    /// Its storage bindings 1, 2, …
    pub bindings: Vec<Slice>,
    /// Its workgroup counts.
    pub workgroups: [u32; 3],
}

/// Replaces dispatches by `fusions` wherever one fits; of several, by the one that replaces most dispatches.
pub fn fuse(recording: Recording, fusions: &[&'static Fusion]) -> Recording {
    if fusions.is_empty() {
        return recording;
    }
    let mut fused = Recording::new(recording.name);
    let mut index = 0;
    while index < recording.dispatches.len() {
        let fitting = fusions.iter().filter_map(|fusion| Some((fusion.kernel, (fusion.fuse)(&recording, index)?)));
        match fitting.max_by_key(|(_, fused)| fused.dispatches) {
            Some((kernel, Fused { dispatches, params, bindings, workgroups })) => {
                fused.dispatch_bytes(kernel, &params, &bindings, workgroups);
                index += dispatches;
            }
            None => {
                let dispatch = &recording.dispatches[index];
                fused.dispatch_bytes(dispatch.kernel, recording.params(index), &dispatch.bindings, dispatch.workgroups);
                index += 1;
            }
        }
    }
    fused
}
