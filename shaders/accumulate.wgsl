// Gradient accumulation: adds up the gradients of several batches for one step.

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> grads: array<f32>; // (P), of one batch
@group(0) @binding(3) var<storage, read_write> sums: array<f32>; // (P), of the step

// sums ← (0 for the first batch, else sums) + weight · grads
@compute @workgroup_size(64)
fn accumulate(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let grad = step.weight * grads[i];
    sums[i] = select(sums[i] + grad, grad, step.first == 1u);
}
