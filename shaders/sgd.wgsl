// Stochastic gradient descent with momentum as in PyTorch, and decoupled weight decay as in AdamW.

struct Params {
    len: u32,
    decay_len: u32, // the first decay_len parameters have weight decay
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> norm: array<f32>; // (1), of all gradients
@group(0) @binding(3) var<storage, read> grad: array<f32>;
@group(0) @binding(4) var<storage, read_write> param: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>; // momentum's running sum

// m ← momentum·m + g;   p ← p − lr · (weight_decay·decay·p + m)
@compute @workgroup_size(64)
fn sgd(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    if (!is_finite(norm[0])) { return; } // a non-finite gradient must not reach the weights
    let m_new = step.momentum * m[i] + grad[i] * clip_scale(norm[0], step.max_grad_norm);
    m[i] = m_new;
    let decay = select(0.0, step.weight_decay, i < params.decay_len) * param[i];
    param[i] = param[i] - step.lr * (decay + m_new);
}
