//! Gradient accumulation: adds up the gradients of several batches for one step.

use bytemuck::{Pod, Zeroable};

use super::step::{Step, read_step};
use super::{FLAT, Real, STEP, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// P: number of parameters.
    pub len: u32,
}

/// step, grads (P) of one batch → sums (P) of the step
pub static ACCUMULATE: Kernel = Kernel {
    name: "accumulate",
    wgsl: &[STEP, FLAT, wgsl!("../../shaders/accumulate.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let Step { weight, first, .. } = read_step(&call.u32(1));
        cpu::elementwise::add_scaled(&mut call.f32_mut(3), &call.f32(2), weight, first == 0);
    },
};

/// Appends the addition of one batch's gradients.
pub fn accumulate(recording: &mut Recording, [step, grads, sums]: [Slice; 3]) {
    let params = Params { len: grads.len as u32 };
    recording.dispatch(&ACCUMULATE, params, &[step, grads, sums], flat_workgroups(grads.len));
}

/// sums ← (0 for the first batch, else sums) + weight · grads
pub fn reference<T: Real>(step: &Step, grads: &[T], sums: &mut [T]) {
    for (sum, &grad) in sums.iter_mut().zip(grads) {
        let before = if step.first == 1 { T::zero() } else { *sum };
        *sum = before + T::of(f64::from(step.weight)) * grad;
    }
}
