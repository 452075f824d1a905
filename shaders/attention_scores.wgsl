// Attention scores: how well each query fits each key, for every head.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv query heads share a KV head
    d_head: u32, // D
    causal: u32, // 1: a query attends to no later position
    scale: f32, // 1/√D
    masked_value: f32, // value of masked pairs; WGSL may assume that there are no infinities, so −1e30 stands for −∞
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<f32>; // (B, T, (H + 2·Hkv)·D): rows of [q | k | v]
@group(0) @binding(2) var<storage, read_write> scores: array<f32>; // (B, H, T, T)

// scores[query, key] = scale · Σ_d q[query, d] · k[key, d], or masked_value
@compute @workgroup_size(8, 8)
fn attention_scores(@builtin(global_invocation_id) id: vec3<u32>) {
    let n = params.context_length;
    let first = id.yx * 4u; // query, key
    if (first.x >= n || first.y >= n) { return; }
    let batch = id.z / params.n_heads;
    let head = id.z % params.n_heads;
    let query = tile_rows(first.x, batch, head);
    let key = tile_rows(first.y, batch, params.n_heads + kv_head(head, params.n_heads, params.n_kv_heads));
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    if (params.causal == 0u || !is_masked(min(first.x + 3u, n - 1u), first.y)) { // otherwise no pair of the tile is visible
        for (var d = 0u; d < params.d_head; d++) {
            let kd = vec4<f32>(qkv[key.x + d], qkv[key.y + d], qkv[key.z + d], qkv[key.w + d]);
            s0 += qkv[query.x + d] * kd;
            s1 += qkv[query.y + d] * kd;
            s2 += qkv[query.z + d] * kd;
            s3 += qkv[query.w + d] * kd;
        }
    }
    let start = id.z * n * n;
    store_row(start, first.x, first.y, s0);
    store_row(start, first.x + 1u, first.y, s1);
    store_row(start, first.x + 2u, first.y, s2);
    store_row(start, first.x + 3u, first.y, s3);
}

// Offsets in qkv of four positions of a head; heads are counted through queries and keys.
fn tile_rows(first: u32, batch: u32, head: u32) -> vec4<u32> {
    let n = params.context_length;
    let width = (params.n_heads + 2u * params.n_kv_heads) * params.d_head;
    return tile_indices(first, n) * width + vec4<u32>(batch * n * width + head * params.d_head);
}

fn store_row(start: u32, query: u32, key: u32, dots: vec4<f32>) {
    if (query >= params.context_length) { return; }
    store(start, query, key, dots.x);
    store(start, query, key + 1u, dots.y);
    store(start, query, key + 2u, dots.z);
    store(start, query, key + 3u, dots.w);
}

fn store(start: u32, query: u32, key: u32, dot: f32) {
    if (key >= params.context_length) { return; }
    let hidden = params.causal == 1u && is_masked(query, key);
    let score = select(params.scale * dot, params.masked_value, hidden);
    scores[start + query * params.context_length + key] = score;
}
