// The gate of SwiGLU: SiLU of one projection times the other.

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// hidden = silu(gate) · up,   silu(x) = x · sigmoid(x)
@group(0) @binding(1) var<storage, read> gate: array<f32>; // (N, F), W1·x
@group(0) @binding(2) var<storage, read> up: array<f32>; // (N, F), W3·x
@group(0) @binding(3) var<storage, read_write> hidden: array<f32>; // (N, F)

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-x));
}

@compute @workgroup_size(64)
fn swiglu(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    hidden[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

// hidden = silu(gate) · up, so up_grad = hidden_grad · silu(gate)
// and gate_grad = hidden_grad · up · s·(1 + gate·(1 − s)) with s = sigmoid(gate).
@group(0) @binding(3) var<storage, read> hidden_grad: array<f32>; // (N, F)
@group(0) @binding(4) var<storage, read_write> gate_grad: array<f32>; // (N, F)
@group(0) @binding(5) var<storage, read_write> up_grad: array<f32>; // (N, F)

@compute @workgroup_size(64)
fn swiglu_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let s = sigmoid(gate[i]);
    up_grad[i] = hidden_grad[i] * gate[i] * s;
    gate_grad[i] = hidden_grad[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
}
