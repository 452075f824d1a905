// FlashAttention-2 (Dao 2023), forward, for GPUs: as flash_attention.wgsl, but a workgroup of 64 owns 32 queries, and two
// invocations share each query: each holds half of it and half of its output. Keys and values pass through workgroup
// memory in blocks of 16. All rows are counted in vectors of four.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv query heads share a KV head
    d_head: u32, // D
    causal: u32, // 1: a query attends to no later position
    rotated: u32, // used only by the backward pass
    scale: f32, // 1/√D
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<Number1>>; // (B, T, (H + 2·Hkv)·D): rows of [q | k | v]
@group(0) @binding(2) var<storage, read_write> out_to: array<vec4<Number2>>; // (B, T, H, D)
@group(0) @binding(3) var<storage, read_write> lse_to: array<f32>; // (B, H, T), ln Σ exp(scale · q·k)

const QUERIES: u32 = 32u; // per workgroup
const KEYS: u32 = 16u; // per block
const WIDTH: u32 = HALF / 2u; // vectors per row
const STRIDE: u32 = WIDTH + 1u; // distance between the rows of a block, padded against bank conflicts
const ROW_STRIDE: u32 = KEYS + 1u; // the same for scores
const MASKED: f32 = -1e30; // stands for −∞; WGSL may assume that there are no infinities

var<workgroup> k_block: array<vec4<f32>, KEYS * STRIDE>;
var<workgroup> v_block: array<vec4<f32>, KEYS * STRIDE>;
var<workgroup> half_dots: array<f32, 2u * QUERIES * ROW_STRIDE>; // q·k over each half

fn dot_columns(x: mat4x4<f32>, y: mat4x4<f32>) -> f32 {
    return (dot(x[0], y[0]) + dot(x[1], y[1])) + (dot(x[2], y[2]) + dot(x[3], y[3]));
}

fn qkv_vector(at: u32, i: u32, n: u32) -> vec4<f32> {
    if (i < n) { return vec4<f32>(qkv[at + i]); }
    return vec4<f32>();
}

fn store_columns(at: u32, n: u32, x: mat4x4<f32>) {
    out_to[at] = vec4<Number2>(x[0]);
    if (n > 1u) { out_to[at + 1u] = vec4<Number2>(x[1]); }
    if (n > 2u) { out_to[at + 2u] = vec4<Number2>(x[2]); }
    if (n > 3u) { out_to[at + 3u] = vec4<Number2>(x[3]); }
}

// Offset in qkv of the row of `position`.
fn row_start(batch: u32, position: u32) -> u32 {
    return (batch * params.context_length + position) * (params.n_heads + 2u * params.n_kv_heads) * (params.d_head / 4u);
}

// Each invocation loads some vectors of the block of keys and values that begins at `first_key`. Elements past the last
// key or outside of the head become 0.
fn load_blocks(batch: u32, head: u32, first_key: u32, local: u32) {
    let width = params.d_head / 4u;
    for (var i = local; i < KEYS * WIDTH; i += 64u) {
        let key = i / WIDTH;
        let col = i % WIDTH;
        var k = vec4<f32>();
        var v = vec4<f32>();
        if (first_key + key < params.context_length && col < width) {
            let at = row_start(batch, first_key + key) + (params.n_heads + head) * width + col;
            k = vec4<f32>(qkv[at]);
            v = vec4<f32>(qkv[at + params.n_kv_heads * width]);
        }
        k_block[key * STRIDE + col] = k;
        v_block[key * STRIDE + col] = v;
    }
}

// The scores of four keys of the block, beginning at `key`.
fn four_scores(row: u32, query: u32, first_key: u32, key: u32) -> vec4<f32> {
    let a = row * ROW_STRIDE + key;
    let b = a + QUERIES * ROW_STRIDE;
    let dots = vec4<f32>(
        half_dots[a] + half_dots[b],
        half_dots[a + 1u] + half_dots[b + 1u],
        half_dots[a + 2u] + half_dots[b + 2u],
        half_dots[a + 3u] + half_dots[b + 3u],
    );
    let keys = vec4<u32>(first_key + key) + vec4<u32>(0u, 1u, 2u, 3u);
    let last = select(params.context_length - 1u, query, params.causal == 1u);
    return select(vec4<f32>(MASKED), params.scale * dots, keys <= vec4<u32>(last));
}

fn add_four(sum: Half, weights: vec4<f32>, at: u32) -> Half {
    let two = add_half(add_half(sum, weights.x, v_half(at)), weights.y, v_half(at + STRIDE));
    return add_half(add_half(two, weights.z, v_half(at + 2u * STRIDE)), weights.w, v_half(at + 3u * STRIDE));
}

fn attend_in_groups(workgroup: vec3<u32>, local: u32) {
    let n = params.context_length;
    let width = params.d_head / 4u;
    let row = local / 2u;
    let half = local % 2u;
    let query = min(workgroup.x * QUERIES + row, n - 1u);
    let batch = workgroup.y / params.n_heads;
    let head = workgroup.y % params.n_heads;
    let mine = half * (HALF / 4u); // vectors before this half
    let n_mine = width - min(width, mine); // vectors from this half on
    let q = qkv_half(row_start(batch, query) + head * width + mine, n_mine);
    var largest = MASKED;
    var total = 0.0;
    var o = Half();
    let end = select(n, min((workgroup.x + 1u) * QUERIES, n), params.causal == 1u);
    for (var first_key = 0u; first_key < end; first_key += KEYS) {
        load_blocks(batch, kv_head(head, params.n_heads, params.n_kv_heads), first_key, local);
        workgroupBarrier();
        for (var key = 0u; key < KEYS; key++) {
            half_dots[(half * QUERIES + row) * ROW_STRIDE + key] = dot_half(q, k_half(key * STRIDE + mine));
        }
        workgroupBarrier();
        let s0 = four_scores(row, query, first_key, 0u);
        let s1 = four_scores(row, query, first_key, 4u);
        let s2 = four_scores(row, query, first_key, 8u);
        let s3 = four_scores(row, query, first_key, 12u);
        let of_each = max(max(s0, s1), max(s2, s3));
        let top = max(largest, max(max(of_each.x, of_each.y), max(of_each.z, of_each.w)));
        let rescale = exp(largest - top);
        let w0 = exp(s0 - top);
        let w1 = exp(s1 - top);
        let w2 = exp(s2 - top);
        let w3 = exp(s3 - top);
        total = total * rescale + dot((w0 + w1) + (w2 + w3), vec4<f32>(1.0));
        largest = top;
        o = add_four(scale_half(o, rescale), w0, mine);
        o = add_four(o, w1, mine + 4u * STRIDE);
        o = add_four(o, w2, mine + 8u * STRIDE);
        o = add_four(o, w3, mine + 12u * STRIDE);
        workgroupBarrier(); // all have read the blocks before they are overwritten
    }
    if (workgroup.x * QUERIES + row >= n) { return; }
    let at = ((batch * n + query) * params.n_heads + head) * width + mine;
    if (n_mine > 0u) { store_half(at, n_mine, scale_half(o, 1.0 / total)); }
    if (half == 0u) { lse_to[(batch * params.n_heads + head) * n + query] = largest + log(total); }
}
