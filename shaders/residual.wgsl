// The residual stream: adds the output of a branch to the stream. The gradient passes to both unchanged, so there is no
// backward kernel.

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> branch: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// out = x + branch
@compute @workgroup_size(64)
fn residual(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    out[i] = x[i] + branch[i];
}
