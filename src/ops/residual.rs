//! The residual stream: out = x + branch, elementwise.

use bytemuck::{Pod, Zeroable};

use super::{FLAT, Real, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of elements.
    pub len: u32,
}

/// x, branch → out, all (N, C)
pub static RESIDUAL: Kernel = Kernel {
    name: "residual",
    wgsl: &[FLAT, wgsl!("../../shaders/residual.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| cpu::elementwise::add(&mut call.f32_mut(3), &call.f32(1), &call.f32(2)),
};

/// Appends the addition.
pub fn residual(recording: &mut Recording, bindings: [Slice; 3]) {
    let len = bindings[2].len;
    recording.dispatch(&RESIDUAL, Params { len: len as u32 }, &bindings, flat_workgroups(len));
}

/// out = x + branch
pub fn reference<T: Real>(x: &[T], branch: &[T], out: &mut [T]) {
    for i in 0..out.len() {
        out[i] = x[i] + branch[i];
    }
}
