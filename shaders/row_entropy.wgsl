// The entropy of every row of softmax weights, −Σ w·log₂ w in bits, for each head and for the mean of all heads. One
// workgroup per row.

struct Params {
    n_heads: u32,
    window: u32, // T
    start: u32, // index of the first element to write
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>; // (H, T, T)
@group(0) @binding(2) var<storage, read_write> entropies: array<f32>; // (L, H + 1, T); the last row is that of the heads' mean

fn weight(head: u32, cell: u32) -> f32 {
    let cells = params.window * params.window;
    if (head < params.n_heads) { return weights[head * cells + cell]; }
    var sum = 0.0;
    for (var other = 0u; other < params.n_heads; other += 1u) {
        sum += weights[other * cells + cell];
    }
    return sum / f32(params.n_heads);
}

// entropies[row] ← −Σ w·log₂ w, where a weight of 0 adds nothing
@compute @workgroup_size(64)
fn row_entropy(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= (params.n_heads + 1u) * params.window) { return; }
    let head = row / params.window;
    let query = row % params.window;
    var sum = 0.0;
    for (var key = local; key < params.window; key += ROW_WORKGROUP) {
        let w = weight(head, query * params.window + key);
        if (w > 0.0) { sum -= w * log2(w); }
    }
    sum = workgroup_sum(sum, local);
    if (local == 0u) { entropies[params.start + row] = sum; }
}
