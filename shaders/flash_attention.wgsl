// FlashAttention-2 (Dao 2023), forward: out = softmax(scale · q·kᵀ) · v without the matrix of scores in memory. An
// invocation owns a query and walks over the keys, four at a time; all invocations of a workgroup read the same key,
// so neither workgroup memory nor barriers are needed. The softmax is kept up to date on the way: when a larger score
// turns up, what has been summed so far is scaled down.
//
// An invocation holds ROW numbers of a head. Larger heads are cut into parts, one in z each; scores then take the
// other parts from memory.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv heads of queries share a head of keys and values
    d_head: u32, // D
    causal: u32, // 1: a query attends to no later position
    rotated: u32, // 1: q and k have been rotated, and their gradients are turned back
    scale: f32, // 1/√D
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> lse_to: array<f32>; // (B, H, T), ln Σ exp(scale · q·k)

const POSITIONS: u32 = 32u; // of a workgroup

// WGSL may assume that there are no infinities, so this stands for −∞.
const MASKED: f32 = -1e30;

// Where the row of `position` begins in qkv.
fn row_start(batch: u32, position: u32) -> u32 {
    return (batch * params.context_length + position) * (params.n_heads + 2u * params.n_kv_heads) * params.d_head;
}

// Where a head begins behind row_start, for queries, keys and values.
fn q_start(head: u32) -> u32 { return head * params.d_head; }
fn k_start(head: u32) -> u32 { return (params.n_heads + head) * params.d_head; }
fn v_start(head: u32) -> u32 { return (params.n_heads + params.n_kv_heads + head) * params.d_head; }

// Where a head begins in out.
fn out_start(batch: u32, position: u32, head: u32) -> u32 {
    return ((batch * params.context_length + position) * params.n_heads + head) * params.d_head;
}

fn is_visible(query: u32, key: u32) -> bool {
    return key < params.context_length && (params.causal == 0u || !is_masked(query, key));
}

// The first `n` of four numbers; the others are 0.
fn first(x: vec4<f32>, n: u32, d: u32) -> vec4<f32> {
    return select(vec4<f32>(), x, vec4<u32>(d, d + 1u, d + 2u, d + 3u) < vec4<u32>(n));
}

// q·k. `own` is the part of one of them that this invocation holds; `a` and `b` are where both begin in qkv.
fn dot_heads(own: Row, part: u32, a: u32, b: u32) -> f32 {
    var sum = dot_rows(own, qkv_row(b + part));
    for (var d = 0u; d < params.d_head; d += ROW) {
        if (d != part) {
            sum += dot_rows(inside(qkv_row(a + d), params.d_head - d), qkv_row(b + d));
        }
    }
    return sum;
}

fn attend(workgroup: vec3<u32>, local: u32) {
    let n = params.context_length;
    let first_query = workgroup.x * POSITIONS;
    let query = min(first_query + local, n - 1u);
    let batch = workgroup.y / params.n_heads;
    let head = workgroup.y % params.n_heads;
    let shared_head = kv_head(head, params.n_heads, params.n_kv_heads);
    let part = workgroup.z * ROW;
    let q_at = row_start(batch, query) + q_start(head);
    let q = inside(qkv_row(q_at + part), params.d_head - part);
    var largest = MASKED;
    var total = 0.0;
    var o = Row();
    let end = select(n, min(first_query + POSITIONS, n), params.causal == 1u);
    for (var key = 0u; key < end; key += 4u) {
        let k0 = row_start(batch, key);
        let k1 = row_start(batch, min(key + 1u, n - 1u));
        let k2 = row_start(batch, min(key + 2u, n - 1u));
        let k3 = row_start(batch, min(key + 3u, n - 1u));
        let k = k_start(shared_head);
        let dots = vec4<f32>(
            dot_heads(q, part, q_at, k0 + k),
            dot_heads(q, part, q_at, k1 + k),
            dot_heads(q, part, q_at, k2 + k),
            dot_heads(q, part, q_at, k3 + k),
        );
        let visible = vec4<bool>(
            is_visible(query, key),
            is_visible(query, key + 1u),
            is_visible(query, key + 2u),
            is_visible(query, key + 3u),
        );
        // Every query sees key 0, so `top` is a real score.
        let scores = select(vec4<f32>(MASKED), params.scale * dots, visible);
        let top = max(max(largest, max(scores.x, scores.y)), max(scores.z, scores.w));
        let rescale = exp(largest - top);
        let weights = exp(scores - vec4<f32>(top));
        total = total * rescale + (weights.x + weights.y) + (weights.z + weights.w);
        largest = top;
        let v = v_start(shared_head) + part;
        o = add_scaled(scale_row(o, rescale), weights.x, qkv_row(k0 + v));
        o = add_scaled(o, weights.y, qkv_row(k1 + v));
        o = add_scaled(o, weights.z, qkv_row(k2 + v));
        o = add_scaled(o, weights.w, qkv_row(k3 + v));
    }
    if (first_query + local >= n) { return; }
    store_out_row(out_start(batch, query, head) + part, params.d_head - part, scale_row(o, 1.0 / total));
    if (part == 0u) {
        lse_to[workgroup.y * n + query] = largest + log(total);
    }
}
