//! Writes the mean loss of all positions, or their sum with one coefficient each, to the step's slot of a ring:
//! `ring[slot] ← (0 for the first batch, else ring[slot]) + weight · mean`, so that batches accumulated for one step add up
//! to their mean.

use bytemuck::{Pod, Zeroable};

use super::step::read_step;
use super::{REDUCE, STEP};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of rows.
    pub n_rows: u32,
}

/// step, losses (N) → `ring[slot]`
pub static MEAN_LOSS: Kernel = Kernel {
    name: "mean_loss",
    wgsl: &[STEP, REDUCE, wgsl!("../../shaders/mean_loss.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| super::row_loops::<64>(bytemuck::pod_read_unaligned::<Params>(params).n_rows, 1),
    cpu: |call| {
        let params: Params = call.params();
        let step = read_step(&call.u32(1));
        let sum: f64 = call.f32(2)[..params.n_rows as usize].iter().map(|&loss| f64::from(loss)).sum();
        let slot = &mut call.f32_mut(3)[step.slot as usize];
        let before = if step.first == 1 { 0.0 } else { *slot };
        *slot = before + (f64::from(step.weight) * sum / f64::from(params.n_rows)) as f32;
    },
};

/// Appends the mean of `losses`.
pub fn mean_loss(recording: &mut Recording, [step, losses, ring]: [Slice; 3]) {
    recording.dispatch(&MEAN_LOSS, Params { n_rows: losses.len as u32 }, &[step, losses, ring], [1, 1, 1]);
}

/// step, losses (N), coefficients (N) → `ring[slot]`
pub static WEIGHTED_LOSS: Kernel = Kernel {
    name: "weighted_loss",
    wgsl: &[STEP, REDUCE, wgsl!("../../shaders/weighted_loss.wgsl")],
    access: &[Read, Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| super::row_loops::<64>(bytemuck::pod_read_unaligned::<Params>(params).n_rows, 1),
    cpu: |call| {
        let (params, step): (Params, _) = (call.params(), read_step(&call.u32(1)));
        let (losses, coefficients) = (call.f32(2), call.f32(3));
        let terms = losses.iter().zip(coefficients.iter()).take(params.n_rows as usize);
        let sum: f64 = terms.map(|(&loss, &coefficient)| f64::from(coefficient) * f64::from(loss)).sum();
        let slot = &mut call.f32_mut(4)[step.slot as usize];
        let before = if step.first == 1 { 0.0 } else { *slot };
        *slot = before + (f64::from(step.weight) * sum) as f32;
    },
};

/// Appends Σ coefficient · loss over all tokens.
pub fn weighted_loss(recording: &mut Recording, [step, losses, coefficients, ring]: [Slice; 4]) {
    let params = Params { n_rows: losses.len as u32 };
    recording.dispatch(&WEIGHTED_LOSS, params, &[step, losses, coefficients, ring], [1, 1, 1]);
}
