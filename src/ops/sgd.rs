//! Stochastic gradient descent with momentum (Polyak 1964) as PyTorch computes it, with the decoupled weight decay of
//! AdamW.

use bytemuck::{Pod, Zeroable};

use super::clip::clip_scale;
use super::step::{Step, read_step};
use super::{CLIP_SCALE, FINITE, FLAT, Real, STEP, cpu};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{Kernel, NO_LOOPS};
use crate::gpu::recording::{Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of parameters.
    pub len: u32,
    /// Number of parameters with weight decay; they come first.
    pub decay_len: u32,
}

/// step, norm (1), grad → param, m in place. Does nothing when the norm of all gradients is not finite.
pub static SGD: Kernel = Kernel {
    name: "sgd",
    wgsl: &[STEP, FLAT, FINITE, CLIP_SCALE, wgsl!("../../shaders/sgd.wgsl")],
    access: &[Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        let norm = call.f32(2)[0];
        if norm.is_finite() {
            let state = [&mut *call.f32_mut(4), &mut *call.f32_mut(5)];
            let step = read_step(&call.u32(1));
            let scale = clip_scale(norm, step.max_grad_norm);
            cpu::update::sgd(step.update(params.decay_len, scale), step.momentum, &call.f32(3), state);
        }
    },
};

/// Appends the update of all parameters, of which the first `decay_len` have weight decay; all slices have the same
/// length.
pub fn sgd(recording: &mut Recording, step: Slice, norm: Slice, [grad, param, m]: [Slice; 3], decay_len: usize) {
    let params = Params { len: grad.len as u32, decay_len: decay_len as u32 };
    recording.dispatch(&SGD, params, &[step, norm, grad, param, m], flat_workgroups(grad.len));
}

/// With g = `scale` · gradient: m ← momentum·m + g;   p ← p − lr · (λ·decay·p + m)
pub fn reference<T: Real>(step: &Step, decay_len: usize, grad: &[T], scale: T, [param, m]: [&mut [T]; 2]) {
    let of = |x: f32| T::of(f64::from(x));
    for (i, &g) in grad.iter().enumerate() {
        let decay = if i < decay_len { of(step.weight_decay) * param[i] } else { T::zero() };
        m[i] = of(step.momentum) * m[i] + scale * g;
        param[i] = param[i] - of(step.lr) * (decay + m[i]);
    }
}
