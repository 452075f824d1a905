//! AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as PyTorch computes it.

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

/// step, norm (1), grad → param, m, v in place. Does nothing when the norm of all gradients is not finite, so that a
/// non-finite gradient never reaches the weights.
pub static ADAMW: Kernel = Kernel {
    name: "adamw",
    wgsl: &[STEP, FLAT, FINITE, CLIP_SCALE, wgsl!("../../shaders/adamw.wgsl")],
    access: &[Read, Read, Read, ReadWrite, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: NO_LOOPS,
    cpu: |call| {
        let params: Params = call.params();
        let norm = call.f32(2)[0];
        if !norm.is_finite() {
            return;
        }
        let step = read_step(&call.u32(1));
        let state = [&mut *call.f32_mut(4), &mut *call.f32_mut(5), &mut *call.f32_mut(6)];
        let scale = clip_scale(norm, step.max_grad_norm);
        let rule = cpu::update::AdamW {
            betas: [step.beta1, step.beta2],
            one_minus_betas: [step.one_minus_beta1, step.one_minus_beta2],
            eps: step.eps,
            corrections: [step.correction1, step.correction2],
        };
        cpu::update::adamw(step.update(params.decay_len, scale), rule, &call.f32(3)[..params.len as usize], state);
    },
};

/// Appends the update of all parameters, of which the first `decay_len` have weight decay; all slices have the same
/// length.
pub fn adamw(recording: &mut Recording, step: Slice, norm: Slice, [grad, param, m, v]: [Slice; 4], decay_len: usize) {
    let params = Params { len: grad.len as u32, decay_len: decay_len as u32 };
    recording.dispatch(&ADAMW, params, &[step, norm, grad, param, m, v], flat_workgroups(grad.len));
}

/// β·mean + (1 − β)·value. For β near 1, rounding β to f32 is too coarse for 1 − β, so the step towards `value` is
/// computed from 1 − β alone; for other β, that difference would cancel.
fn moving_mean<T: Real>(mean: T, value: T, beta: T, one_minus_beta: T) -> T {
    if one_minus_beta < T::of(0.5) {
        mean + one_minus_beta * (value - mean)
    } else {
        beta * mean + one_minus_beta * value
    }
}

/// With g = `scale` · gradient: m ← β₁·m + (1 − β₁)·g;   v ← β₂·v + (1 − β₂)·g²;
/// p ← p − lr · (λ·decay·p + (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε))
pub fn reference<T: Real>(step: &Step, decay_len: usize, grad: &[T], scale: T, [param, m, v]: [&mut [T]; 3]) {
    let of = |x: f32| T::of(f64::from(x));
    let [beta1, beta2] = [of(step.beta1), of(step.beta2)];
    let [one_minus_beta1, one_minus_beta2] = [of(step.one_minus_beta1), of(step.one_minus_beta2)];
    for (i, &g) in grad.iter().enumerate() {
        let g = scale * g;
        m[i] = moving_mean(m[i], g, beta1, one_minus_beta1);
        v[i] = moving_mean(v[i], g * g, beta2, one_minus_beta2);
        let decay = if i < decay_len { of(step.weight_decay) * param[i] } else { T::zero() };
        let update = (m[i] / of(step.correction1)) / ((v[i] / of(step.correction2)).sqrt() + of(step.eps));
        param[i] = param[i] - of(step.lr) * (decay + update);
    }
}
