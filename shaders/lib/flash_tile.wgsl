// What the kernels of FlashAttention share. A workgroup of 64 invocations holds one tile of 1024 pairs of positions:
// `rows` positions that are its own, against `cols` at a time of the others. Every invocation computes 4 × 4 of the
// pairs, and then 4 × 4 of the sums that the tile adds to, (rows, D): hence cols ≥ D, and rows = 1024 / cols.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv heads of queries share a head of keys and values
    d_head: u32, // D
    cols: u32, // a power of two, at least D and 4
    causal: u32, // 1: a query attends to no later position
    scale: f32, // 1/√D
}

@group(0) @binding(0) var<uniform> params: Params;

const TILE_PAIRS: u32 = 1024u;

// WGSL may assume that there are no infinities, so this stands for −∞.
const MASKED: f32 = -1e30;

// Row and column where this invocation's 4 × 4 begin.
fn place(local: u32) -> vec2<u32> {
    let across = params.cols / 4u;
    return vec2<u32>(local / across, local % across) * 4u;
}

// Where (batch, head) begins in a tensor (B, T, n_heads, D).
fn origin(batch: u32, head: u32, n_heads: u32) -> u32 {
    return (batch * params.context_length * n_heads + head) * params.d_head;
}

fn is_visible(query: u32, key: u32) -> bool {
    return key < params.context_length && (params.causal == 0u || !is_masked(query, key));
}

// One query against four keys.
fn visible_keys(query: u32, key: u32) -> vec4<bool> {
    return vec4<bool>(
        is_visible(query, key),
        is_visible(query, key + 1u),
        is_visible(query, key + 2u),
        is_visible(query, key + 3u),
    );
}

// Four queries against one key.
fn visible_queries(query: u32, key: u32) -> vec4<bool> {
    return vec4<bool>(
        is_visible(query, key),
        is_visible(query + 1u, key),
        is_visible(query + 2u, key),
        is_visible(query + 3u, key),
    );
}
