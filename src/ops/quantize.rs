//! Softmax weights as bytes for heatmaps: byte = ⌊255·weight + ½⌋, four to a word, the first in the lowest byte.

use bytemuck::{Pod, Zeroable};

use super::FLAT;
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of weights.
    pub len: u32,
    /// Index of the first word to write.
    pub start: u32,
}

/// weights (len) → ⌈len/4⌉ words from `start`
pub static QUANTIZE: Kernel = Kernel {
    name: "quantize",
    wgsl: &[FLAT, wgsl!("../../shaders/quantize.wgsl")],
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        let words = &mut call.u32_mut(2)[params.start as usize..];
        reference(&call.f32(1)[..params.len as usize], words);
    },
};

/// Appends the quantization of all `weights` into `words`, from index `start` on.
pub fn quantize(recording: &mut Recording, [weights, words]: [Slice; 2], start: usize) {
    let params = Params { len: weights.len as u32, start: start as u32 };
    recording.dispatch(&QUANTIZE, params, &[weights, words], flat_workgroups(weights.len.div_ceil(4)));
}

/// `words[i]` holds weights 4i … 4i+3, the first in the lowest byte
pub fn reference(weights: &[f32], words: &mut [u32]) {
    for (word, weights) in words.iter_mut().zip(weights.chunks(4)) {
        let byte = |weight: &f32| (weight.clamp(0.0, 1.0) * 255.0 + 0.5) as u32;
        *word = weights.iter().rev().fold(0, |word, weight| (word << 8) | byte(weight));
    }
}
