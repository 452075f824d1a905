// AdamW with decoupled weight decay (Loshchilov & Hutter 2019), as PyTorch computes it.

struct Params {
    len: u32,
    decay_len: u32, // the first of them decay, the others do not
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> norm: array<f32>; // (1), of all gradients
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> param: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>; // first moment
@group(0) @binding(6) var<storage, read_write> v: array<f32>; // second moment

// m ← β₁·m + (1 − β₁)·g;   v ← β₂·v + (1 − β₂)·g²
// p ← p − lr·decay·p − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
@compute @workgroup_size(64)
fn adamw(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    if (!is_finite(norm[0])) { return; } // a poisoned gradient must not reach the weights
    let g = grad[i] * clip_scale(norm[0], step.max_grad_norm);
    let m_new = step.beta1 * m[i] + (1.0 - step.beta1) * g;
    let v_new = step.beta2 * v[i] + (1.0 - step.beta2) * g * g;
    let decayed = param[i] * (1.0 - step.lr * step.weight_decay * select(0.0, 1.0, i < params.decay_len));
    let update = (m_new / step.correction1) / (sqrt(v_new / step.correction2) + step.eps);
    m[i] = m_new;
    v[i] = v_new;
    param[i] = decayed - step.lr * update;
}
