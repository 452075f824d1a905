// Elementwise activations of a feed-forward network without a gate: SiLU and GELU.
// Both are x · sigmoid(u): GELU's ½·(1 + tanh z) is sigmoid(2z).

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Number1>;

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-x, 80.0))); // WGSL may assume that there are no infinities
}

const ROOT_8_OVER_PI: f32 = 1.5957691216; // 2·√(2/π)

fn gelu_sigmoid(x: f32) -> f32 {
    return sigmoid(ROOT_8_OVER_PI * (x + 0.044715 * x * x * x));
}

// silu(x) = x · sigmoid(x)
@group(0) @binding(2) var<storage, read_write> y: array<Number2>;

@compute @workgroup_size(64)
fn silu(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let value = f32(x[i]);
    y[i] = Number2(value * sigmoid(value));
}

// gelu(x) = x · ½·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
@compute @workgroup_size(64)
fn gelu(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let value = f32(x[i]);
    y[i] = Number2(value * gelu_sigmoid(value));
}

// y = x · s with s = sigmoid(u(x)), so x_grad = y_grad · (s + x · s·(1 − s) · u′(x))
@group(0) @binding(2) var<storage, read> y_grad: array<f32>;
@group(0) @binding(3) var<storage, read_write> x_grad: array<f32>;

@compute @workgroup_size(64)
fn silu_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let value = f32(x[i]);
    let s = sigmoid(value);
    x_grad[i] = y_grad[i] * (s + value * s * (1.0 - s));
}

@compute @workgroup_size(64)
fn gelu_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let value = f32(x[i]);
    let s = gelu_sigmoid(value);
    let slope = ROOT_8_OVER_PI * (1.0 + 3.0 * 0.044715 * value * value);
    x_grad[i] = y_grad[i] * (s + value * s * (1.0 - s) * slope);
}
