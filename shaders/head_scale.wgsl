// Multiplies each head's output by its own factor: 0 switches a head off, 1 leaves it unchanged.

struct Params {
    len: u32, // N·H·D
    n_heads: u32, // H
    d_head: u32, // D
    first: u32, // index of this layer's first factor: layer · H
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scale: array<f32>; // (L, H)
@group(0) @binding(2) var<storage, read_write> heads: array<f32>; // (N, H, D)

// heads[n, h, d] ← scale[layer, h] · heads[n, h, d]
@compute @workgroup_size(64)
fn head_scale(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let head = (i / params.d_head) % params.n_heads;
    heads[i] = scale[params.first + head] * heads[i];
}
