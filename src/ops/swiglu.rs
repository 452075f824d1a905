//! The gate of SwiGLU (Shazeer 2020): hidden = SiLU(gate) ⊙ up, SiLU(x) = x · sigmoid(x).
//!
//! gate and up are stored as rows [gate | up] (N, 2F), the output of a single matmul.

use bytemuck::{Pod, Zeroable};

use super::{FLAT, Real, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// N: number of rows.
    pub n_rows: u32,
    /// F: width of the hidden layer.
    pub d_ff: u32,
}

const WGSL: &[&str] = &[FLAT, wgsl!("../../shaders/swiglu.wgsl")];

/// gate_up (N, 2F) → hidden (N, F)
pub static SWIGLU: Kernel = Kernel {
    name: "swiglu",
    wgsl: WGSL,
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| cpu::activation::swiglu(&call.f32(1), &mut call.f32_mut(2), d_ff(call)),
};

/// gate_up (N, 2F), hidden_grad (N, F) → gate_up_grad (N, 2F)
pub static SWIGLU_GRAD: Kernel = Kernel {
    name: "swiglu_grad",
    wgsl: WGSL,
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| cpu::activation::swiglu_grad(&call.f32(1), &call.f32(2), &mut call.f32_mut(3), d_ff(call)),
};

fn d_ff(call: &CpuCall<'_>) -> usize {
    call.params::<Params>().d_ff as usize
}

fn params(hidden_len: usize, n_rows: usize) -> Params {
    Params { n_rows: n_rows as u32, d_ff: (hidden_len / n_rows) as u32 }
}

/// Appends the forward pass over `n_rows` rows.
pub fn swiglu(recording: &mut Recording, [gate_up, hidden]: [Slice; 2], n_rows: usize) {
    let params = params(hidden.len, n_rows);
    recording.dispatch(&SWIGLU, params, &[gate_up, hidden], flat_workgroups(hidden.len));
}

/// Appends the backward pass over `n_rows` rows.
pub fn swiglu_grad(recording: &mut Recording, [gate_up, hidden_grad, gate_up_grad]: [Slice; 3], n_rows: usize) {
    let params = params(hidden_grad.len, n_rows);
    let bindings = [gate_up, hidden_grad, gate_up_grad];
    recording.dispatch(&SWIGLU_GRAD, params, &bindings, flat_workgroups(hidden_grad.len));
}

fn sigmoid<T: Real>(x: T) -> T {
    (T::one() + (-x).exp()).recip()
}

/// hidden = silu(gate) · up
pub fn reference<T: Real>(gate_up: &[T], hidden: &mut [T], params: &Params) {
    let width = params.d_ff as usize;
    for (row, hidden) in gate_up.chunks_exact(2 * width).zip(hidden.chunks_exact_mut(width)) {
        let (gate, up) = row.split_at(width);
        for (i, hidden) in hidden.iter_mut().enumerate() {
            *hidden = gate[i] * sigmoid(gate[i]) * up[i];
        }
    }
}

/// up_grad = hidden_grad · silu(gate);  gate_grad = hidden_grad · up · s·(1 + gate·(1 − s)), s = sigmoid(gate)
pub fn reference_grad<T: Real>(gate_up: &[T], hidden_grad: &[T], gate_up_grad: &mut [T], params: &Params) {
    let width = params.d_ff as usize;
    let rows = gate_up.chunks_exact(2 * width).zip(gate_up_grad.chunks_exact_mut(2 * width));
    for ((row, grads), hidden_grad) in rows.zip(hidden_grad.chunks_exact(width)) {
        let (gate, up) = row.split_at(width);
        let (gate_grad, up_grad) = grads.split_at_mut(width);
        for (i, &hidden_grad) in hidden_grad.iter().enumerate() {
            let s = sigmoid(gate[i]);
            up_grad[i] = hidden_grad * gate[i] * s;
            gate_grad[i] = hidden_grad * up[i] * s * (T::one() + gate[i] * (T::one() - s));
        }
    }
}
