//! Multiplies each head's output by its own factor, in place: 0 switches a head off, 1 leaves it bit-identical.
//!
//! heads is (N, H, D), the input of W_o; the factors are (L, H).

use bytemuck::{Pod, Zeroable};

use super::{FLAT, Real};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N·H·D: number of elements of `heads`.
    pub len: u32,
    /// H: number of query heads.
    pub n_heads: u32,
    /// D: size of a head.
    pub d_head: u32,
    /// Index of the layer's first factor: layer · H.
    pub first: u32,
}

/// scale (L, H), heads (N, H, D) in place
pub static HEAD_SCALE: Kernel = Kernel {
    name: "head_scale",
    wgsl: &[FLAT, wgsl!("../../shaders/head_scale.wgsl")],
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| reference(&call.f32(1), &mut call.f32_mut(2), &call.params()),
};

/// Appends the scaling of the heads of `layer`.
pub fn head_scale(recording: &mut Recording, [scale, heads]: [Slice; 2], layer: usize, n_heads: usize, d_head: usize) {
    let params = Params {
        len: heads.len as u32,
        n_heads: n_heads as u32,
        d_head: d_head as u32,
        first: (layer * n_heads) as u32,
    };
    recording.dispatch(&HEAD_SCALE, params, &[scale, heads], flat_workgroups(heads.len));
}

/// heads[n, h, d] ← scale[layer, h] · heads[n, h, d]
pub fn reference<T: Real>(scale: &[T], heads: &mut [T], params: &Params) {
    let (n_heads, first) = (params.n_heads as usize, params.first as usize);
    for (at, head) in heads[..params.len as usize].chunks_exact_mut(params.d_head as usize).enumerate() {
        let scale = scale[first + at % n_heads];
        head.iter_mut().for_each(|x| *x = scale * *x);
    }
}
