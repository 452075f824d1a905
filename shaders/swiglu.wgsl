// The gate of SwiGLU: SiLU of one projection times the other.

struct Params {
    n_rows: u32,
    d_ff: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// hidden = silu(gate) · up,   silu(x) = x · sigmoid(x)
@group(0) @binding(1) var<storage, read> gate_up: array<Number1>; // (N, 2F): rows of [W1·x | W3·x]
@group(0) @binding(2) var<storage, read_write> hidden: array<Number2>; // (N, F)

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-x, 80.0))); // WGSL may assume that there are no infinities
}

// Index of the gate of element i of (N, F); its `up` comes F later.
fn gate_at(i: u32) -> u32 {
    return i + i / params.d_ff * params.d_ff;
}

@compute @workgroup_size(64)
fn swiglu(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.n_rows * params.d_ff) { return; }
    let at = gate_at(i);
    let gate = f32(gate_up[at]);
    hidden[i] = Number2(gate * sigmoid(gate) * f32(gate_up[at + params.d_ff]));
}

// hidden = silu(gate) · up, so up_grad = hidden_grad · silu(gate)
// and gate_grad = hidden_grad · up · s·(1 + gate·(1 − s)) with s = sigmoid(gate).
@group(0) @binding(2) var<storage, read> hidden_grad: array<f32>; // (N, F)
@group(0) @binding(3) var<storage, read_write> gate_up_grad: array<f32>; // (N, 2F)

@compute @workgroup_size(64)
fn swiglu_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.n_rows * params.d_ff) { return; }
    let at = gate_at(i);
    let gate = f32(gate_up[at]);
    let s = sigmoid(gate);
    let grad = hidden_grad[i] * s;
    gate_up_grad[at] = grad * f32(gate_up[at + params.d_ff]) * (1.0 + gate * (1.0 - s));
    gate_up_grad[at + params.d_ff] = grad * gate;
}
