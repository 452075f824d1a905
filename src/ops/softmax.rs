//! Softmax over rows, in place, and its gradient.

use bytemuck::{Pod, Zeroable};

use super::{FLAT, REDUCE, Real, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, row_workgroups};

/// The uniform of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Rows.
    pub n_rows: u32,
    /// Elements of a row.
    pub n_cols: u32,
}

const WGSL: &[&str] = &[FLAT, REDUCE, include_str!("../../shaders/softmax.wgsl")];

/// x (rows, cols) in place
pub static SOFTMAX: Kernel = Kernel {
    name: "softmax",
    wgsl: WGSL,
    access: &[ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        cpu::softmax::softmax(&mut call.f32_mut(1), &params);
    },
};

/// y (rows, cols), y_grad (rows, cols) → x_grad in its place
pub static SOFTMAX_GRAD: Kernel = Kernel {
    name: "softmax_grad",
    wgsl: WGSL,
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        cpu::softmax::softmax_grad(&call.f32(1), &mut call.f32_mut(2), &params);
    },
};

/// Appends the forward pass.
pub fn softmax(recording: &mut Recording, x: Slice, params: Params) {
    recording.dispatch(&SOFTMAX, params, &[x], row_workgroups(params.n_rows as usize));
}

/// Appends the backward pass.
pub fn softmax_grad(recording: &mut Recording, [y, grad]: [Slice; 2], params: Params) {
    recording.dispatch(&SOFTMAX_GRAD, params, &[y, grad], row_workgroups(params.n_rows as usize));
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

/// `grad[c] ← y[c] · (grad[c] − Σ y · grad)`
pub fn reference_grad<T: Real>(y: &[T], grad: &mut [T], params: &Params) {
    let cols = params.n_cols as usize;
    for (y, grad) in y.chunks_exact(cols).zip(grad.chunks_exact_mut(cols)).take(params.n_rows as usize) {
        let dot: T = y.iter().zip(&*grad).map(|(&y, &grad)| y * grad).sum();
        grad.iter_mut().zip(y).for_each(|(grad, &y)| *grad = y * (*grad - dot));
    }
}
