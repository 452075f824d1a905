//! The bias of a linear layer or of LayerNorm: `y[n, c] ← y[n, c] + bias[c]`, over (N, C).

use bytemuck::{Pod, Zeroable};

use super::{COLUMNS, COLUMNS_PER_GROUP, FLAT, REDUCE, Real, cpu, row_loops};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups, row_workgroups};
use crate::gpu::variant::Variant;

/// Uniform parameters of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of rows.
    pub n_rows: u32,
    /// C: number of columns.
    pub n_cols: u32,
}

const WGSL: &[&str] = &[FLAT, REDUCE, wgsl!("../../shaders/bias.wgsl")];

/// bias (C), y (N, C) in place
pub static BIAS: Kernel = Kernel {
    name: "bias",
    wgsl: WGSL,
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| reference(&call.f32(1), &mut call.f32_mut(2)),
};

/// y_grad (N, C) → bias_grad (C)
pub static BIAS_GRAD: Kernel = Kernel {
    name: "bias_grad",
    wgsl: WGSL,
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| row_loops::<64>(bytemuck::pod_read_unaligned::<Params>(params).n_rows, 1),
    cpu: |call| cpu::norm::bias_grad(&call.f32(1), &mut call.f32_mut(2)),
};

/// [`BIAS_GRAD`] for GPUs: by blocks of columns.
pub static BIAS_GRAD_COLUMNS: Kernel = Kernel {
    name: "bias_grad_columns",
    wgsl: &[FLAT, REDUCE, COLUMNS, wgsl!("../../shaders/bias.wgsl"), wgsl!("../../shaders/bias_columns.wgsl")],
    ..BIAS_GRAD
};

/// [`BIAS_GRAD`] by columns.
pub static GRAD_COLUMNS: Variant = Variant {
    hardware: true,
    workgroups: |params, _| {
        let Params { n_cols, .. } = bytemuck::pod_read_unaligned(params);
        Some(row_workgroups((n_cols as usize).div_ceil(COLUMNS_PER_GROUP)))
    },
    ..Variant::of_rows(&BIAS_GRAD, &BIAS_GRAD_COLUMNS, 0)
};

/// Appends the addition of `bias` to every row of `y`.
pub fn bias(recording: &mut Recording, [bias, y]: [Slice; 2], n_rows: usize) {
    let params = Params { n_rows: n_rows as u32, n_cols: bias.len as u32 };
    recording.dispatch(&BIAS, params, &[bias, y], flat_workgroups(n_rows * bias.len));
}

/// Appends the backward pass, which overwrites `bias_grad`.
pub fn bias_grad(recording: &mut Recording, [y_grad, bias_grad]: [Slice; 2], n_rows: usize) {
    let params = Params { n_rows: n_rows as u32, n_cols: bias_grad.len as u32 };
    recording.dispatch(&BIAS_GRAD, params, &[y_grad, bias_grad], row_workgroups(bias_grad.len));
}

/// `y[n, c] ← y[n, c] + bias[c]`
pub fn reference<T: Real>(bias: &[T], y: &mut [T]) {
    for row in y.chunks_exact_mut(bias.len()) {
        row.iter_mut().zip(bias).for_each(|(y, &bias)| *y += bias);
    }
}

/// `bias_grad[c] = Σ_n y_grad[n, c]`
pub fn reference_grad<T: Real>(y_grad: &[T], bias_grad: &mut [T]) {
    bias_grad.fill(T::zero());
    for row in y_grad.chunks_exact(bias_grad.len()) {
        bias_grad.iter_mut().zip(row).for_each(|(sum, &grad)| *sum += grad);
    }
}
