//! Stochastic gradient descent with momentum (Polyak 1964) as PyTorch computes it, with the decoupled weight decay of
//! AdamW.

use bytemuck::{Pod, Zeroable};

use super::step::{Step, read_step};
use super::{FINITE, FLAT, Real, STEP, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// The uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Parameters.
    pub len: u32,
    /// 1 for parameters that decay, 0 for those that do not.
    pub decay: f32,
}

/// step, norm (1), grad → param, m in place. Does nothing when the norm of all gradients is not finite.
pub static SGD: Kernel = Kernel {
    name: "sgd",
    wgsl: &[STEP, FLAT, FINITE, include_str!("../../shaders/sgd.wgsl")],
    access: &[Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    cpu: |call| {
        let params: Params = call.params();
        if call.f32(2)[0].is_finite() {
            let state = [&mut *call.f32_mut(4), &mut *call.f32_mut(5)];
            cpu::update::sgd(&read_step(&call.u32(1)), params.decay, &call.f32(3), state);
        }
    },
};

/// Appends the update of one group of parameters; the slices are equally long.
pub fn sgd(recording: &mut Recording, step: Slice, norm: Slice, [grad, param, m]: [Slice; 3], decay: bool) {
    let params = Params { len: grad.len as u32, decay: if decay { 1.0 } else { 0.0 } };
    recording.dispatch(&SGD, params, &[step, norm, grad, param, m], flat_workgroups(grad.len));
}

/// m ← momentum·m + g;   p ← p − lr·λ·decay·p − lr·m
pub fn reference<T: Real>(step: &Step, decay: f32, grad: &[T], [param, m]: [&mut [T]; 2]) {
    let of = |x: f32| T::of(f64::from(x));
    let keep = T::one() - of(step.lr) * of(step.weight_decay) * of(decay);
    for (i, &g) in grad.iter().enumerate() {
        m[i] = of(step.momentum) * m[i] + g;
        param[i] = param[i] * keep - of(step.lr) * m[i];
    }
}
