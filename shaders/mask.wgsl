// An arbitrary mask over scores, in place. The model's own mask is the causal one, which attention_scores.wgsl applies
// itself.

struct Params {
    len: u32,
    scale: f32,
    masked_value: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mask: array<u32>; // 1: attend
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // same length as the mask

// x ← scale · x where the mask is set, masked_value elsewhere
@compute @workgroup_size(64)
fn apply_mask(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    x[i] = select(params.masked_value, params.scale * x[i], mask[i] != 0u);
}
