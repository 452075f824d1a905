//! An arbitrary mask over scores, in place: x ← scale · x where the mask is set, `masked_value` elsewhere.
//!
//! Applied before a softmax with [`MASKED`](super::attention_scores::MASKED), and after it again with scale 1 and value
//! 0, so that a row without any visible key gets no weights instead of equal ones.

use bytemuck::{Pod, Zeroable};

use super::{FLAT, Real};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of elements.
    pub len: u32,
    /// Factor where the mask is set.
    pub scale: f32,
    /// Value where the mask is not set.
    pub masked_value: f32,
}

/// mask (N), x (N) in place
pub static MASK: Kernel = Kernel {
    name: "apply_mask",
    wgsl: &[FLAT, wgsl!("../../shaders/mask.wgsl")],
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| reference(&call.u32(1), &mut call.f32_mut(2), &call.params()),
};

/// Appends the masking of `x`, which has the mask's length.
pub fn mask(recording: &mut Recording, [mask, x]: [Slice; 2], scale: f32, masked_value: f32) {
    let params = Params { len: x.len as u32, scale, masked_value };
    recording.dispatch(&MASK, params, &[mask, x], flat_workgroups(x.len));
}

/// x ← scale · x where the mask is not 0, `masked_value` elsewhere
pub fn reference<T: Real>(mask: &[u32], x: &mut [T], params: &Params) {
    for (x, &visible) in x.iter_mut().zip(mask).take(params.len as usize) {
        *x = if visible == 0 { T::of(f64::from(params.masked_value)) } else { T::of(f64::from(params.scale)) * *x };
    }
}
