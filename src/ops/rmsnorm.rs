//! RMSNorm (Zhang & Sennrich 2019): y = gain ⊙ x / √(mean(x²) + ε), over rows of (N, C).

use bytemuck::{Pod, Zeroable};

use super::{
    COLUMNS, EIGHT_LANES, FLAT, FOUR_LANES, NORM_COLUMNS, REDUCE, REDUCE_LANES, REDUCE_SUBGROUPS, Real, cpu,
    norm_columns_workgroups, row_loops,
};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, row_workgroups};
use crate::gpu::variant::Variant;

/// ε of CS336's RMSNorm.
pub const EPS: f32 = 1e-5;

/// Uniform parameters of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of rows.
    pub n_rows: u32,
    /// C: width of a row.
    pub d_model: u32,
    /// ε
    pub eps: f32,
    /// 1: `rmsnorm_grad` adds to the values of `x_grad`.
    pub accumulate: u32,
}

impl Params {
    /// N and C
    pub(super) fn sizes(&self) -> [usize; 2] {
        [self.n_rows as usize, self.d_model as usize]
    }
}

/// [`Kernel::loops`] of the gradients of a norm: the maximum of the passes over a row and over a column.
pub(super) fn grad_loops<const INVOCATIONS: u32>(params: &[u8]) -> u64 {
    let params: Params = bytemuck::pod_read_unaligned(params);
    row_loops::<INVOCATIONS>(params.d_model.max(params.n_rows), 2)
}

const WGSL: &str = wgsl!("../../shaders/rmsnorm.wgsl");

/// Defines the forward and backward kernels with one way to sum.
macro_rules! kernels {
    ($forward:ident $forward_name:literal, $backward:ident $backward_name:literal, $invocations:literal, $entry:ident, [$($reduce:ident),*]) => {
        /// x (N, C), gain (C) → y (N, C), inv_rms (N)
        pub static $forward: Kernel = Kernel {
            name: $forward_name,
            wgsl: &[FLAT, $($reduce,)* WGSL, $entry!($forward_name, "normalize")],
            access: &[Read, Read, ReadWrite, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: |params| row_loops::<$invocations>(bytemuck::pod_read_unaligned::<Params>(params).d_model, 2),
            cpu: |call| {
                let params: Params = call.params();
                let (y, inv_rms) = (&mut call.f32_mut(3), &mut call.f32_mut(4));
                cpu::norm::rmsnorm(&call.f32(1), &call.f32(2), y, inv_rms, params.sizes(), params.eps);
            },
        };
        /// x (N, C), gain (C), y_grad (N, C), inv_rms (N) → x_grad (N, C), gain_grad (C)
        pub static $backward: Kernel = Kernel {
            name: $backward_name,
            wgsl: &[FLAT, $($reduce,)* WGSL, $entry!($backward_name, "norm_grads")],
            access: &[Read, Read, Read, Read, ReadWrite, ReadWrite],
            params_bytes: size_of::<Params>(),
            loops: grad_loops::<$invocations>,
            cpu: |call| {
                let params: Params = call.params();
                let (x, gain, y_grad, inv_rms) = (&*call.f32(1), &*call.f32(2), &*call.f32(3), &*call.f32(4));
                let (sizes, accumulate) = (params.sizes(), params.accumulate == 1);
                cpu::norm::rmsnorm_grad_x([x, gain, y_grad, inv_rms], &mut call.f32_mut(5), sizes, accumulate);
                cpu::norm::rmsnorm_grad_gain([x, y_grad, inv_rms], &mut call.f32_mut(6), sizes);
            },
        };
    };
}

kernels!(RMSNORM "rmsnorm", RMSNORM_GRAD "rmsnorm_grad", 64, row_entry, [REDUCE]);
kernels!(
    RMSNORM_LANES "rmsnorm_lanes", RMSNORM_GRAD_LANES "rmsnorm_grad_lanes", 8,
    row_entry, [EIGHT_LANES, REDUCE_LANES]
);
kernels!(
    RMSNORM_FOUR_LANES "rmsnorm_four_lanes", RMSNORM_GRAD_FOUR_LANES "rmsnorm_grad_four_lanes", 4,
    row_entry, [FOUR_LANES, REDUCE_LANES]
);

kernels!(
    RMSNORM_SUBGROUPS "rmsnorm_subgroups", RMSNORM_GRAD_SUBGROUPS "rmsnorm_grad_subgroups", 64,
    subgroup_row_entry, [REDUCE_SUBGROUPS]
);

/// [`RMSNORM_SUBGROUPS`] in place of [`RMSNORM`].
pub static SUBGROUPS: Variant = Variant::of_subgroups(&RMSNORM, &RMSNORM_SUBGROUPS);
/// [`RMSNORM_GRAD_SUBGROUPS`] in place of [`RMSNORM_GRAD`].
pub static GRAD_SUBGROUPS: Variant = Variant::of_subgroups(&RMSNORM_GRAD, &RMSNORM_GRAD_SUBGROUPS);

/// [`RMSNORM_GRAD`] for GPUs: the gain's gradient by blocks of columns.
pub static RMSNORM_GRAD_COLUMNS: Kernel = Kernel {
    name: "rmsnorm_grad_columns",
    wgsl: &[FLAT, REDUCE, COLUMNS, WGSL, NORM_COLUMNS, row_entry!("rmsnorm_grad_columns", "norm_grads_by_columns")],
    ..RMSNORM_GRAD
};

/// [`RMSNORM_GRAD`] by columns.
pub static GRAD_COLUMNS: Variant = Variant {
    hardware: true,
    workgroups: |params, _| norm_columns_workgroups(params),
    ..Variant::of_rows(&RMSNORM_GRAD, &RMSNORM_GRAD_COLUMNS, 0)
};

/// Subgroup variants of [`RMSNORM`].
pub static LANES: [Variant; 2] =
    [Variant::of_rows(&RMSNORM, &RMSNORM_LANES, 8), Variant::of_rows(&RMSNORM, &RMSNORM_FOUR_LANES, 4)];
/// Subgroup variants of [`RMSNORM_GRAD`].
pub static GRAD_LANES: [Variant; 2] = [
    Variant::of_rows(&RMSNORM_GRAD, &RMSNORM_GRAD_LANES, 8),
    Variant::of_rows(&RMSNORM_GRAD, &RMSNORM_GRAD_FOUR_LANES, 4),
];

/// Appends the forward pass.
pub fn rmsnorm(recording: &mut Recording, [x, gain, y, inv_rms]: [Slice; 4], params: Params) {
    recording.dispatch(&RMSNORM, params, &[x, gain, y, inv_rms], row_workgroups(params.n_rows as usize));
}

/// Appends the gradients of input and gain; the gain's gradient is overwritten.
pub fn rmsnorm_grad(recording: &mut Recording, bindings: [Slice; 6], params: Params) {
    let workgroups = row_workgroups(params.n_rows as usize + params.d_model as usize);
    recording.dispatch(&RMSNORM_GRAD, params, &bindings, workgroups);
}

/// `inv_rms = 1 / √(mean(x²) + ε);   y[c] = gain[c] · x[c] · inv_rms`
pub fn reference<T: Real>(x: &[T], gain: &[T], y: &mut [T], inv_rms: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    for row in 0..params.n_rows as usize {
        let x = &x[row * width..][..width];
        let mean = x.iter().map(|&x| x * x).sum::<T>() / T::of(width as f64);
        inv_rms[row] = (mean + T::of(f64::from(params.eps))).sqrt().recip();
        for c in 0..width {
            y[row * width + c] = gain[c] * x[c] * inv_rms[row];
        }
    }
}

/// `x_grad[c] = inv_rms · (gain[c]·y_grad[c] − x[c] · inv_rms² · mean(gain·y_grad·x))`, added when `accumulate` is 1
pub fn reference_grad_x<T: Real>(x: &[T], gain: &[T], y_grad: &[T], inv_rms: &[T], x_grad: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    for row in 0..params.n_rows as usize {
        let range = row * width..(row + 1) * width;
        let (x, y_grad, x_grad) = (&x[range.clone()], &y_grad[range.clone()], &mut x_grad[range]);
        let mean = (0..width).map(|c| gain[c] * y_grad[c] * x[c]).sum::<T>() / T::of(width as f64);
        let pull = inv_rms[row] * inv_rms[row] * mean;
        for c in 0..width {
            let value = inv_rms[row] * (gain[c] * y_grad[c] - x[c] * pull);
            x_grad[c] = if params.accumulate == 1 { x_grad[c] + value } else { value };
        }
    }
}

/// `gain_grad[c] = Σ_n y_grad[n, c] · x[n, c] · inv_rms[n]`
pub fn reference_grad_gain<T: Real>(x: &[T], y_grad: &[T], inv_rms: &[T], gain_grad: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    gain_grad[..width].fill(T::zero());
    for row in 0..params.n_rows as usize {
        for c in 0..width {
            gain_grad[c] += y_grad[row * width + c] * x[row * width + c] * inv_rms[row];
        }
    }
}
