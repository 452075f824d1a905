//! Softmax over rows, in place.

use bytemuck::{Pod, Zeroable};

use super::{FLAT, REDUCE, Real, cpu, row_loops};
use crate::gpu::kernel::Access::ReadWrite;
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, row_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of rows.
    pub n_rows: u32,
    /// Number of elements in a row.
    pub n_cols: u32,
}

const WGSL: &[&str] = &[FLAT, REDUCE, wgsl!("../../shaders/softmax.wgsl")];

/// x (rows, cols) in place
pub static SOFTMAX: Kernel = Kernel {
    name: "softmax",
    wgsl: WGSL,
    access: &[ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| row_loops::<64>(bytemuck::pod_read_unaligned::<Params>(params).n_cols, 3),
    cpu: |call| {
        let Params { n_rows, n_cols } = call.params();
        cpu::softmax::softmax(&mut call.f32_mut(1), [n_rows as usize, n_cols as usize]);
    },
};

/// Appends the softmax of every row.
pub fn softmax(recording: &mut Recording, x: Slice, params: Params) {
    recording.dispatch(&SOFTMAX, params, &[x], row_workgroups(params.n_rows as usize));
}

/// `x[c] ← exp(x[c] − max) / Σ exp(x − max)`
pub fn reference<T: Real>(x: &mut [T], params: &Params) {
    for row in x.chunks_exact_mut(params.n_cols as usize).take(params.n_rows as usize) {
        let largest = row.iter().copied().fold(T::neg_infinity(), T::max);
        row.iter_mut().for_each(|x| *x = (*x - largest).exp());
        let scale = row.iter().copied().sum::<T>().recip();
        row.iter_mut().for_each(|x| *x = *x * scale);
    }
}
