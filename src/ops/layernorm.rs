//! LayerNorm (Ba et al. 2016) over rows of (N, C): y = gain ⊙ (x − mean) / √(variance + ε). Its bias is added by the
//! separate [`bias`](super::bias).

use super::rmsnorm::{Params, grad_loops};
use super::{COLUMNS, FLAT, NORM_COLUMNS, REDUCE, Real, cpu, norm_columns_workgroups, row_loops};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, row_workgroups};
use crate::gpu::variant::Variant;

const WGSL: &[&str] = &[FLAT, REDUCE, wgsl!("../../shaders/layernorm.wgsl")];

/// x (N, C), gain (C) → y (N, C), stats (N, 2)
pub static LAYERNORM: Kernel = Kernel {
    name: "layernorm",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| row_loops::<64>(bytemuck::pod_read_unaligned::<Params>(params).d_model, 3),
    cpu: |call| {
        let params: Params = call.params();
        let (y, stats) = (&mut call.f32_mut(3), &mut call.f32_mut(4));
        cpu::norm::layernorm(&call.f32(1), &call.f32(2), y, stats, params.sizes(), params.eps);
    },
};

/// x (N, C), gain (C), y_grad (N, C), stats (N, 2) → x_grad (N, C), gain_grad (C)
pub static LAYERNORM_GRAD: Kernel = Kernel {
    name: "layernorm_grad",
    wgsl: WGSL,
    access: &[Read, Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: grad_loops::<64>,
    cpu: |call| {
        let params: Params = call.params();
        let (x, gain, y_grad, stats) = (&*call.f32(1), &*call.f32(2), &*call.f32(3), &*call.f32(4));
        let (sizes, accumulate) = (params.sizes(), params.accumulate == 1);
        cpu::norm::layernorm_grad_x([x, gain, y_grad, stats], &mut call.f32_mut(5), sizes, accumulate);
        cpu::norm::layernorm_grad_gain([x, y_grad, stats], &mut call.f32_mut(6), sizes);
    },
};

/// [`LAYERNORM_GRAD`] for GPUs: the gain's gradient by blocks of columns.
pub static LAYERNORM_GRAD_COLUMNS: Kernel = Kernel {
    name: "layernorm_grad_columns",
    wgsl: &[
        FLAT,
        REDUCE,
        COLUMNS,
        wgsl!("../../shaders/layernorm.wgsl"),
        NORM_COLUMNS,
        row_entry!("layernorm_grad_columns", "norm_grads_by_columns"),
    ],
    ..LAYERNORM_GRAD
};

/// [`LAYERNORM_GRAD`] by columns.
pub static GRAD_COLUMNS: Variant = Variant {
    hardware: true,
    workgroups: |params, _| norm_columns_workgroups(params),
    ..Variant::of_rows(&LAYERNORM_GRAD, &LAYERNORM_GRAD_COLUMNS, 0)
};

/// Appends the forward pass.
pub fn layernorm(recording: &mut Recording, [x, gain, y, stats]: [Slice; 4], params: Params) {
    recording.dispatch(&LAYERNORM, params, &[x, gain, y, stats], row_workgroups(params.n_rows as usize));
}

/// Appends the gradients of input and gain; the gain's gradient is overwritten.
pub fn layernorm_grad(recording: &mut Recording, bindings: [Slice; 6], params: Params) {
    let workgroups = row_workgroups(params.n_rows as usize + params.d_model as usize);
    recording.dispatch(&LAYERNORM_GRAD, params, &bindings, workgroups);
}

/// `inv_std = 1 / √(mean((x − mean)²) + ε);   y[c] = gain[c] · (x[c] − mean) · inv_std`; stats are (mean, inv_std)
pub fn reference<T: Real>(x: &[T], gain: &[T], y: &mut [T], stats: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    let count = T::of(width as f64);
    for row in 0..params.n_rows as usize {
        let x = &x[row * width..][..width];
        let mean = x.iter().copied().sum::<T>() / count;
        let variance = x.iter().map(|&x| (x - mean) * (x - mean)).sum::<T>() / count;
        let inv_std = (variance + T::of(f64::from(params.eps))).sqrt().recip();
        for c in 0..width {
            y[row * width + c] = gain[c] * (x[c] - mean) * inv_std;
        }
        (stats[2 * row], stats[2 * row + 1]) = (mean, inv_std);
    }
}

/// With n = (x − mean) · inv_std and g = gain ⊙ y_grad: `x_grad[c] = inv_std · (g[c] − mean(g) − n[c] · mean(g·n))`,
/// added when `accumulate` is 1
pub fn reference_grad_x<T: Real>(x: &[T], gain: &[T], y_grad: &[T], stats: &[T], x_grad: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    let count = T::of(width as f64);
    for row in 0..params.n_rows as usize {
        let range = row * width..(row + 1) * width;
        let (x, y_grad, x_grad) = (&x[range.clone()], &y_grad[range.clone()], &mut x_grad[range]);
        let (mean, inv_std) = (stats[2 * row], stats[2 * row + 1]);
        let n = |c: usize| (x[c] - mean) * inv_std;
        let mean_g = (0..width).map(|c| gain[c] * y_grad[c]).sum::<T>() / count;
        let mean_gn = (0..width).map(|c| gain[c] * y_grad[c] * n(c)).sum::<T>() / count;
        for c in 0..width {
            let value = inv_std * (gain[c] * y_grad[c] - mean_g - n(c) * mean_gn);
            x_grad[c] = if params.accumulate == 1 { x_grad[c] + value } else { value };
        }
    }
}

/// `gain_grad[c] = Σ_n y_grad[n, c] · (x[n, c] − mean[n]) · inv_std[n]`
pub fn reference_grad_gain<T: Real>(x: &[T], y_grad: &[T], stats: &[T], gain_grad: &mut [T], params: &Params) {
    let width = params.d_model as usize;
    gain_grad[..width].fill(T::zero());
    for row in 0..params.n_rows as usize {
        let (mean, inv_std) = (stats[2 * row], stats[2 * row + 1]);
        for c in 0..width {
            gain_grad[c] += y_grad[row * width + c] * (x[row * width + c] - mean) * inv_std;
        }
    }
}
