// Softmax weights as bytes for the page's heatmaps: 0 … 1 becomes 0 … 255, four to a word.

struct Params {
    len: u32, // weights
    start: u32, // index of the first word to write
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>; // (H, T, T)
@group(0) @binding(2) var<storage, read_write> words: array<u32>; // (L, ⌈H·T·T/4⌉)

fn quantized(i: u32) -> u32 {
    if (i >= params.len) { return 0u; }
    return u32(clamp(weights[i], 0.0, 1.0) * 255.0 + 0.5);
}

// byte = ⌊255·weight + ½⌋; the first weight is the lowest byte
@compute @workgroup_size(64)
fn quantize(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local) * 4u;
    if (i >= params.len) { return; }
    let low = quantized(i) | (quantized(i + 1u) << 8u);
    let high = (quantized(i + 2u) << 16u) | (quantized(i + 3u) << 24u);
    words[params.start + i / 4u] = low | high;
}
