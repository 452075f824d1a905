// Rotary position embedding, in place: rotates the pair (x[2i], x[2i+1]) of every head by an angle that grows with the
// position. Its gradient is the inverse rotation, because rotations are orthogonal.

struct Params {
    n_rows: u32, // B·T
    context_length: u32, // T; the position of a row is row mod T
    d_model: u32, // number of columns to rotate, from the first on
    stride: u32, // distance between two rows
    d_head: u32,
    direction: f32, // +1 rotates forward, −1 back
}

@group(0) @binding(0) var<uniform> params: Params;
// cos and sin of position · Θ^(−2i/D), computed on the CPU: WGSL does not define the precision of its own.
@group(0) @binding(1) var<storage, read> cos_sin: array<f32>; // (T, D/2, 2)
@group(0) @binding(2) var<storage, read_write> x: array<Number2>; // (B, T, stride)

// (x₀, x₁) ← (x₀·cos − x₁·sin, x₀·sin + x₁·cos)
@compute @workgroup_size(64)
fn rope(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pair = flat_index(workgroup, workgroups, local);
    if (pair >= params.n_rows * params.d_model / 2u) { return; }
    let row = pair / (params.d_model / 2u);
    let position = row % params.context_length;
    let i = pair % (params.d_head / 2u);
    let entry = (position * (params.d_head / 2u) + i) * 2u;
    let cosine = cos_sin[entry];
    let sine = params.direction * cos_sin[entry + 1u];
    let at = row * params.stride + 2u * (pair % (params.d_model / 2u));
    let x0 = f32(x[at]);
    let x1 = f32(x[at + 1u]);
    x[at] = Number2(x0 * cosine - x1 * sine);
    x[at + 1u] = Number2(x0 * sine + x1 * cosine);
}
