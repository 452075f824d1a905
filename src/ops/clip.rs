//! Gradient clipping by the global L2 norm (Pascanu et al. 2013): all gradients times
//! min(1, max_grad_norm / (norm + 1e-6)).

use bytemuck::{Pod, Zeroable};

use super::step::read_step;
use super::{CLIP_SCALE, FLAT, REDUCE, Real, STEP, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// How many partial sums the norm is computed from.
pub const PARTIAL_SUMS: usize = 256;

/// The uniform of all three kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Gradients, or partial sums for `grad_norm`.
    pub len: u32,
}

const WGSL: &[&str] = &[STEP, FLAT, REDUCE, CLIP_SCALE, include_str!("../../shaders/clip.wgsl")];

/// grads (P) → sums of squares ([`PARTIAL_SUMS`])
pub static SQUARED_SUMS: Kernel = Kernel {
    name: "squared_sums",
    wgsl: WGSL,
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        cpu::update::squared_sums(&call.f32(1)[..params.len as usize], &mut call.f32_mut(2)[..PARTIAL_SUMS]);
    },
};

/// step, sums of squares → norm (1), `ring[slot]`
pub static GRAD_NORM: Kernel = Kernel {
    name: "grad_norm",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let norm = call.f32(2)[..PARTIAL_SUMS].iter().sum::<f32>().sqrt();
        call.f32_mut(3)[0] = norm;
        call.f32_mut(4)[read_step(&call.u32(1)).slot as usize] = norm;
    },
};

/// step, norm (1), grads (P) in place
pub static CLIP: Kernel = Kernel {
    name: "clip",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        let grads = &mut call.f32_mut(3)[..params.len as usize];
        cpu::elementwise::scale(grads, clip_scale(call.f32(2)[0], read_step(&call.u32(1)).max_grad_norm));
    },
};

/// Appends the norm of all gradients. `sums` has [`PARTIAL_SUMS`] elements, `norm` one; the norm also goes into the
/// step's slot of `ring`. The optimizers clip by it on their way.
pub fn grad_norm(recording: &mut Recording, step: Slice, grads: Slice, [sums, norm, ring]: [Slice; 3]) {
    let len = Params { len: grads.len as u32 };
    recording.dispatch(&SQUARED_SUMS, len, &[grads, sums], [PARTIAL_SUMS as u32, 1, 1]);
    let n_sums = Params { len: PARTIAL_SUMS as u32 };
    recording.dispatch(&GRAD_NORM, n_sums, &[step, sums, norm, ring], [1, 1, 1]);
}

/// Appends the clipping of gradients whose norm is there.
pub fn clip(recording: &mut Recording, step: Slice, grads: Slice, norm: Slice) {
    let len = Params { len: grads.len as u32 };
    recording.dispatch(&CLIP, len, &[step, norm, grads], flat_workgroups(grads.len));
}

/// What gradients of this norm are multiplied by.
pub(super) fn clip_scale<T: Real>(norm: T, max_grad_norm: T) -> T {
    T::one().min(max_grad_norm / (norm + T::of(1e-6)))
}

/// grads ← grads · min(1, max_grad_norm / (norm + 1e-6))
pub fn reference<T: Real>(grads: &mut [T], norm: T, max_grad_norm: T) {
    let scale = clip_scale(norm, max_grad_norm);
    grads.iter_mut().for_each(|grad| *grad = *grad * scale);
}
