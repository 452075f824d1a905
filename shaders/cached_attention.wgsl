// Attention of one new position per sequence over the cached keys and values of earlier positions: scores, softmax and
// weighted sum in one pass. One workgroup per head and sequence.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv
    d_head: u32, // D
    q_stride: u32, // distance between the queries of two sequences
    scale: f32, // 1/√D
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> position: array<u32>; // (B), positions of the new tokens, which attend to 0 … position
@group(0) @binding(2) var<storage, read> q: array<f32>; // (B, q_stride), of which the first H·D elements are used
@group(0) @binding(3) var<storage, read> k_cache: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(4) var<storage, read> v_cache: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(5) var<storage, read_write> weights: array<f32>; // (B, H, T)
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // (B, H, D)

// weights[key] = softmax(scale · q·k[key]) over key ≤ position;   out[d] = Σ_key weights[key] · v[key, d]
@compute @workgroup_size(64)
fn cached_attention(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let head = workgroup.x;
    let sequence = workgroup.y;
    let end = visible_keys_end(position[sequence]);
    let width = params.n_kv_heads * params.d_head;
    let origin = sequence * params.context_length * width
        + kv_head(head, params.n_heads, params.n_kv_heads) * params.d_head;
    let query = sequence * params.q_stride + head * params.d_head;
    let row = (sequence * params.n_heads + head) * params.context_length;
    var largest = -1e30;
    for (var key = local; key < end; key += ROW_WORKGROUP) {
        var dot = 0.0;
        for (var d = 0u; d < params.d_head; d++) {
            dot += q[query + d] * k_cache[key * width + origin + d];
        }
        weights[row + key] = params.scale * dot;
        largest = max(largest, params.scale * dot);
    }
    largest = workgroup_max(largest, local);
    var sum = 0.0;
    for (var key = local; key < end; key += ROW_WORKGROUP) {
        let e = exp(weights[row + key] - largest);
        weights[row + key] = e;
        sum += e;
    }
    let total = workgroup_sum(sum, local);
    storageBarrier(); // every weight of the row has been written
    for (var d = local; d < params.d_head; d += ROW_WORKGROUP) {
        var value = 0.0;
        for (var key = 0u; key < end; key++) {
            value += weights[row + key] * v_cache[key * width + origin + d];
        }
        out[(sequence * params.n_heads + head) * params.d_head + d] = value / total;
    }
}
