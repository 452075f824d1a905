//! The gate of SwiGLU (Shazeer 2020): hidden = SiLU(gate) ⊙ up, elementwise, SiLU(x) = x · sigmoid(x).

use bytemuck::{Pod, Zeroable};

use super::{FLAT, Real, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// The uniform of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Elements.
    pub len: u32,
}

const WGSL: &[&str] = &[FLAT, include_str!("../../shaders/swiglu.wgsl")];

/// gate (N, F), up (N, F) → hidden (N, F)
pub static SWIGLU: Kernel = Kernel {
    name: "swiglu",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| cpu::activation::swiglu(&call.f32(1), &call.f32(2), &mut call.f32_mut(3)),
};

/// gate, up, hidden_grad (N, F) → gate_grad, up_grad (N, F)
pub static SWIGLU_GRAD: Kernel = Kernel {
    name: "swiglu_grad",
    wgsl: WGSL,
    access: &[Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let inputs = [&*call.f32(1), &*call.f32(2), &*call.f32(3)];
        cpu::activation::swiglu_grad(inputs, [&mut *call.f32_mut(4), &mut *call.f32_mut(5)]);
    },
};

/// Appends the forward pass.
pub fn swiglu(recording: &mut Recording, bindings: [Slice; 3]) {
    let len = bindings[2].len;
    recording.dispatch(&SWIGLU, Params { len: len as u32 }, &bindings, flat_workgroups(len));
}

/// Appends the backward pass.
pub fn swiglu_grad(recording: &mut Recording, bindings: [Slice; 5]) {
    let len = bindings[4].len;
    recording.dispatch(&SWIGLU_GRAD, Params { len: len as u32 }, &bindings, flat_workgroups(len));
}

fn sigmoid<T: Real>(x: T) -> T {
    (T::one() + (-x).exp()).recip()
}

/// hidden = silu(gate) · up
pub fn reference<T: Real>(gate: &[T], up: &[T], hidden: &mut [T]) {
    for i in 0..hidden.len() {
        hidden[i] = gate[i] * sigmoid(gate[i]) * up[i];
    }
}

/// up_grad = hidden_grad · silu(gate);  gate_grad = hidden_grad · up · s·(1 + gate·(1 − s)), s = sigmoid(gate)
pub fn reference_grad<T: Real>(gate: &[T], up: &[T], hidden_grad: &[T], gate_grad: &mut [T], up_grad: &mut [T]) {
    for i in 0..hidden_grad.len() {
        let s = sigmoid(gate[i]);
        up_grad[i] = hidden_grad[i] * gate[i] * s;
        gate_grad[i] = hidden_grad[i] * up[i] * s * (T::one() + gate[i] * (T::one() - s));
    }
}
