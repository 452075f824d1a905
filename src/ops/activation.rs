//! Elementwise activations of a feed-forward network without a gate: SiLU(x) = x · sigmoid(x) (Elfwing et al. 2018) and
//! GPT-2's form of GELU, x · ½·(1 + tanh(√(2/π)·(x + 0.044715·x³))) (Hendrycks & Gimpel 2016).
//!
//! ½·(1 + tanh z) is sigmoid(2z), so both are x · sigmoid(u) with u = x or u = √(8/π)·(x + 0.044715·x³).

use bytemuck::{Pod, Zeroable};

use super::{FLAT, Real, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of all four kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of elements.
    pub len: u32,
}

pub use cpu::activation::Activation;

const WGSL: &[&str] = &[FLAT, wgsl!("../../shaders/activation.wgsl")];

const fn kernel(name: &'static str, access: &'static [crate::gpu::kernel::Access], cpu: fn(&CpuCall<'_>)) -> Kernel {
    Kernel { name, wgsl: WGSL, access, params_bytes: size_of::<Params>(), loops: NO_LOOPS, cpu }
}

/// x → y
pub static SILU: Kernel = kernel("silu", &[Read, ReadWrite], |call| {
    cpu::activation::activation(Activation::Silu, &call.f32(1), &mut call.f32_mut(2))
});
/// x → y
pub static GELU: Kernel = kernel("gelu", &[Read, ReadWrite], |call| {
    cpu::activation::activation(Activation::Gelu, &call.f32(1), &mut call.f32_mut(2))
});
/// x, y_grad → x_grad
pub static SILU_GRAD: Kernel = kernel("silu_grad", &[Read, Read, ReadWrite], |call| {
    cpu::activation::activation_grad(Activation::Silu, &call.f32(1), &call.f32(2), &mut call.f32_mut(3));
});
/// x, y_grad → x_grad
pub static GELU_GRAD: Kernel = kernel("gelu_grad", &[Read, Read, ReadWrite], |call| {
    cpu::activation::activation_grad(Activation::Gelu, &call.f32(1), &call.f32(2), &mut call.f32_mut(3));
});

/// Appends the forward pass.
pub fn activation(recording: &mut Recording, which: Activation, [x, y]: [Slice; 2]) {
    let kernel = if which == Activation::Silu { &SILU } else { &GELU };
    recording.dispatch(kernel, Params { len: y.len as u32 }, &[x, y], flat_workgroups(y.len));
}

/// Appends the backward pass.
pub fn activation_grad(recording: &mut Recording, which: Activation, [x, y_grad, x_grad]: [Slice; 3]) {
    let kernel = if which == Activation::Silu { &SILU_GRAD } else { &GELU_GRAD };
    let len = x_grad.len;
    recording.dispatch(kernel, Params { len: len as u32 }, &[x, y_grad, x_grad], flat_workgroups(len));
}

fn sigmoid<T: Real>(x: T) -> T {
    (T::one() + (-x).exp()).recip()
}

/// u(x) and its derivative.
fn inner<T: Real>(which: Activation, x: T) -> (T, T) {
    match which {
        Activation::Silu => (x, T::one()),
        Activation::Gelu => {
            let (root, cubic) = (T::of((8.0 / std::f64::consts::PI).sqrt()), T::of(0.044715));
            (root * (x + cubic * x * x * x), root * (T::one() + T::of(3.0) * cubic * x * x))
        }
    }
}

/// y = x · sigmoid(u(x))
pub fn reference<T: Real>(which: Activation, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x * sigmoid(inner(which, x).0);
    }
}

/// x_grad = y_grad · (s + x · s·(1 − s) · u′(x)), s = sigmoid(u(x))
pub fn reference_grad<T: Real>(which: Activation, x: &[T], y_grad: &[T], x_grad: &mut [T]) {
    for i in 0..x_grad.len() {
        let (u, slope) = inner(which, x[i]);
        let s = sigmoid(u);
        x_grad[i] = y_grad[i] * (s + x[i] * s * (T::one() - s) * slope);
    }
}
