// Attention's weighted sum of values: out = weights · v. Masked weights are 0, so the sums run over visible pairs only.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv query heads share a KV head
    d_head: u32, // D
    causal: u32, // 1: a query attends to no later position
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>; // (B, H, T, T)
@group(0) @binding(2) var<storage, read> qkv: array<f32>; // (B, T, (H + 2·Hkv)·D): rows of [q | k | v]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // (B, T, H, D)

// out[query, d] = Σ_key weights[query, key] · v[key, d]
@compute @workgroup_size(8, 8)
fn weighted_sum(@builtin(global_invocation_id) id: vec3<u32>) {
    let n = params.context_length;
    let first = id.yx * 4u; // query, d
    if (first.x >= n || first.y >= params.d_head) { return; }
    let batch = id.z / params.n_heads;
    let head = id.z % params.n_heads;
    let width = (params.n_heads + 2u * params.n_kv_heads) * params.d_head;
    let values = params.n_heads + params.n_kv_heads + kv_head(head, params.n_heads, params.n_kv_heads);
    let origin = batch * n * width + values * params.d_head;
    let row = tile_indices(first.x, n) * n + vec4<u32>(id.z * n * n);
    let d = tile_indices(first.y, params.d_head) + vec4<u32>(origin);
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var o2 = vec4<f32>();
    var o3 = vec4<f32>();
    let end = select(n, visible_keys_end(min(first.x + 3u, n - 1u)), params.causal == 1u);
    for (var key = 0u; key < end; key++) {
        let at = d + vec4<u32>(key * width);
        let value = vec4<f32>(qkv[at.x], qkv[at.y], qkv[at.z], qkv[at.w]);
        o0 += weights[row.x + key] * value;
        o1 += weights[row.y + key] * value;
        o2 += weights[row.z + key] * value;
        o3 += weights[row.w + key] * value;
    }
    store_tile((batch * n * params.n_heads + head) * params.d_head, first, o0, o1, o2, o3);
}

fn store_tile(
    origin: u32,
    first: vec2<u32>,
    o0: vec4<f32>,
    o1: vec4<f32>,
    o2: vec4<f32>,
    o3: vec4<f32>,
) {
    let width = params.n_heads * params.d_head;
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
    out[start + d] = sum;
}
