// AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as PyTorch computes it.

struct Params {
    len: u32,
    decay_len: u32, // the first decay_len parameters have weight decay
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> norm: array<f32>; // (1), of all gradients
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> param: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>; // first moment
@group(0) @binding(6) var<storage, read_write> v: array<f32>; // second moment

// β·mean + (1 − β)·value. For β near 1, rounding β to f32 is too coarse for 1 − β, so the step towards `value` is
// computed from 1 − β alone; for other β, that difference would cancel.
fn moving_mean(mean: f32, value: f32, beta: f32, one_minus_beta: f32) -> f32 {
    return select(beta * mean + one_minus_beta * value, mean + one_minus_beta * (value - mean), one_minus_beta < 0.5);
}

// m ← β₁·m + (1 − β₁)·g;   v ← β₂·v + (1 − β₂)·g²
// p ← p − lr · (decay·p + (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε))
@compute @workgroup_size(64)
fn adamw(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    if (!is_finite(norm[0])) { return; } // a non-finite gradient must not reach the weights
    let g = grad[i] * clip_scale(norm[0], step.max_grad_norm);
    let m_new = moving_mean(m[i], g, step.beta1, step.one_minus_beta1);
    let v_new = moving_mean(v[i], g * g, step.beta2, step.one_minus_beta2);
    let decay = select(0.0, step.weight_decay, i < params.decay_len) * param[i];
    let update = (m_new / step.correction1) / (sqrt(v_new / step.correction2) + step.eps);
    m[i] = m_new;
    v[i] = v_new;
    param[i] = param[i] - step.lr * (decay + update);
}
