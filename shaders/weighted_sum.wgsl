// Attention's weighted sum of values, and the same sum over queries, which the backward pass needs:
//   weighted_sum             out    = weights · v                    forward
//                            q_grad = scale · score_grads · k        backward of the scores
//   weighted_sum_transposed  v_grad = weightsᵀ · out_grad            backward of the weighted sum
//                            k_grad = scale · score_gradsᵀ · q       backward of the scores
// Masked weights are 0, so the sums run over visible pairs only.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv heads of queries share a head of keys and values
    d_head: u32, // D
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>; // (B, H, T, T)
@group(0) @binding(2) var<storage, read> v: array<f32>; // (B, T, Hkv, D); transposed: (B, T, H, D)
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // (B, T, H, D); transposed: (B, T, Hkv, D)

// out[query, d] = scale · Σ_key weights[query, key] · v[key, d]
@compute @workgroup_size(8, 8)
fn weighted_sum(@builtin(global_invocation_id) id: vec3<u32>) {
    let n = params.context_length;
    let first = id.yx * 4u; // query, d
    if (first.x >= n || first.y >= params.d_head) { return; }
    let batch = id.z / params.n_heads;
    let head = id.z % params.n_heads;
    let origin = origin_of(batch, kv_head(head, params.n_heads, params.n_kv_heads), params.n_kv_heads);
    let width = params.n_kv_heads * params.d_head;
    let row = tile_indices(first.x, n) * n + vec4<u32>(id.z * n * n);
    let d = tile_indices(first.y, params.d_head) + vec4<u32>(origin);
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var o2 = vec4<f32>();
    var o3 = vec4<f32>();
    let end = visible_keys_end(min(first.x + 3u, n - 1u));
    for (var key = 0u; key < end; key++) {
        let at = d + vec4<u32>(key * width);
        let value = vec4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]);
        o0 += weights[row.x + key] * value;
        o1 += weights[row.y + key] * value;
        o2 += weights[row.z + key] * value;
        o3 += weights[row.w + key] * value;
    }
    store_tile(origin_of(batch, head, params.n_heads), params.n_heads, first, o0, o1, o2, o3);
}

// out[key, d] = scale · Σ_head Σ_query weights[head, query, key] · v[query, head, d], over the heads that share the key
@compute @workgroup_size(8, 8)
fn weighted_sum_transposed(@builtin(global_invocation_id) id: vec3<u32>) {
    let n = params.context_length;
    let first = id.yx * 4u; // key, d
    if (first.x >= n || first.y >= params.d_head) { return; }
    let batch = id.z / params.n_kv_heads;
    let shared_head = id.z % params.n_kv_heads;
    let group = params.n_heads / params.n_kv_heads;
    let width = params.n_heads * params.d_head;
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var o2 = vec4<f32>();
    var o3 = vec4<f32>();
    for (var head = shared_head * group; head < (shared_head + 1u) * group; head++) {
        let col = tile_indices(first.x, n) + vec4<u32>((batch * params.n_heads + head) * n * n);
        let d = tile_indices(first.y, params.d_head) + vec4<u32>(origin_of(batch, head, params.n_heads));
        for (var query = visible_queries_start(first.x); query < n; query++) {
            let at = d + vec4<u32>(query * width);
            let value = vec4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]);
            let row = query * n;
            o0 += weights[col.x + row] * value;
            o1 += weights[col.y + row] * value;
            o2 += weights[col.z + row] * value;
            o3 += weights[col.w + row] * value;
        }
    }
    store_tile(origin_of(batch, shared_head, params.n_kv_heads), params.n_kv_heads, first, o0, o1, o2, o3);
}

// Where a head begins in a (B, T, n_heads, D) tensor.
fn origin_of(batch: u32, head: u32, n_heads: u32) -> u32 {
    return (batch * params.context_length * n_heads + head) * params.d_head;
}

fn store_tile(
    origin: u32,
    n_heads: u32,
    first: vec2<u32>,
    o0: vec4<f32>,
    o1: vec4<f32>,
    o2: vec4<f32>,
    o3: vec4<f32>,
) {
    let width = n_heads * params.d_head;
    store_row(origin + first.x * width, first, 0u, o0);
    store_row(origin + (first.x + 1u) * width, first, 1u, o1);
    store_row(origin + (first.x + 2u) * width, first, 2u, o2);
    store_row(origin + (first.x + 3u) * width, first, 3u, o3);
}

fn store_row(start: u32, first: vec2<u32>, row: u32, sums: vec4<f32>) {
    if (first.x + row >= params.context_length) { return; }
    store(start, first.y, sums.x);
    store(start, first.y + 1u, sums.y);
    store(start, first.y + 2u, sums.z);
    store(start, first.y + 3u, sums.w);
}

fn store(start: u32, d: u32, sum: f32) {
    if (d >= params.d_head) { return; }
    out[start + d] = params.scale * sum;
}
