//! Gathers a batch from the tokens on the device: inputs (B, T) and, one position later, targets (B, T).

use bytemuck::{Pod, Zeroable};

use super::FLAT;
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// B: number of sequences.
    pub batch_size: u32,
    /// T: positions of a sequence.
    pub context_length: u32,
}

/// tokens, starts (B) → inputs (B, T), targets (B, T)
pub static GATHER_BATCH: Kernel = Kernel {
    name: "gather_batch",
    wgsl: &[FLAT, wgsl!("../../shaders/gather_batch.wgsl")],
    access: &[Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        reference(&call.u32(1), &call.u32(2), &mut call.u32_mut(3), &mut call.u32_mut(4), &params);
    },
};

/// Appends the gathering of a batch.
pub fn gather_batch(recording: &mut Recording, [tokens, starts, inputs, targets]: [Slice; 4], params: Params) {
    let elements = params.batch_size as usize * params.context_length as usize;
    recording.dispatch(&GATHER_BATCH, params, &[tokens, starts, inputs, targets], flat_workgroups(elements));
}

/// `inputs[b, t] = tokens[starts[b] + t]`, `targets[b, t] = tokens[starts[b] + t + 1]`
pub fn reference(tokens: &[u32], starts: &[u32], inputs: &mut [u32], targets: &mut [u32], params: &Params) {
    let length = params.context_length as usize;
    for (b, &start) in starts[..params.batch_size as usize].iter().enumerate() {
        let start = start as usize;
        inputs[b * length..][..length].copy_from_slice(&tokens[start..start + length]);
        targets[b * length..][..length].copy_from_slice(&tokens[start + 1..start + length + 1]);
    }
}
