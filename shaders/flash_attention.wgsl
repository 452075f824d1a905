// FlashAttention-2 (Dao 2023), forward: out = softmax(scale · q·kᵀ) · v without the matrix of scores in memory. An
// invocation owns four queries and loops over the keys; each key it loads serves all four. The softmax is updated online:
// when a larger score appears, the sums so far are scaled down.
//
// An invocation holds ROW elements of each head. Larger heads are split into parts, each for a separate workgroup in z
// (lib/flash_parts.wgsl). WORKGROUP invocations load SHARED keys at a time, one each, and share them.

struct Params {
    context_length: u32, // T
    n_heads: u32, // H
    n_kv_heads: u32, // Hkv; H / Hkv query heads share a KV head
    d_head: u32, // D
    causal: u32, // 1: a query attends to no later position
    rotated: u32, // 1: q and k have been rotated, so their gradients are rotated back
    scale: f32, // 1/√D
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read_write> lse_to: array<f32>; // (B, H, T), ln Σ exp(scale · q·k)

const POSITIONS: u32 = 4u * WORKGROUP; // per workgroup

// WGSL may assume that there are no infinities, so this stands for −∞.
const MASKED: f32 = -1e30;

// Offset in qkv of the row of `position`.
fn row_start(batch: u32, position: u32) -> u32 {
    return (batch * params.context_length + position) * (params.n_heads + 2u * params.n_kv_heads) * params.d_head;
}

fn row_starts(batch: u32, p: vec4<u32>) -> vec4<u32> {
    return vec4<u32>(row_start(batch, p.x), row_start(batch, p.y), row_start(batch, p.z), row_start(batch, p.w));
}

// Offsets of a head from row_start, for queries, keys and values.
fn q_start(head: u32) -> u32 { return head * params.d_head; }
fn k_start(head: u32) -> u32 { return (params.n_heads + head) * params.d_head; }
fn v_start(head: u32) -> u32 { return (params.n_heads + params.n_kv_heads + head) * params.d_head; }

// Offset of a head in out.
fn out_start(batch: u32, position: u32, head: u32) -> u32 {
    return ((batch * params.context_length + position) * params.n_heads + head) * params.d_head;
}

fn is_visible(query: u32, key: u32) -> bool {
    return (key < params.context_length) & ((params.causal == 0u) | !is_masked(query, key));
}

// Visibility of four query-key pairs; one of the vectors repeats a single position.
fn are_visible(query: vec4<u32>, key: vec4<u32>) -> vec4<bool> {
    return vec4<bool>(
        is_visible(query.x, key.x),
        is_visible(query.y, key.y),
        is_visible(query.z, key.z),
        is_visible(query.w, key.w),
    );
}

// The first `n` of four elements; the others become 0.
fn first(x: vec4<f32>, n: u32, d: u32) -> vec4<f32> {
    return select(vec4<f32>(), x, vec4<u32>(d, d + 1u, d + 2u, d + 3u) < vec4<u32>(n));
}

// End of the range of keys (from 0) that an invocation loops over; invocations that share keys use the same range.
fn keys_end(first_query: u32, query: vec4<u32>, local: u32) -> u32 {
    let n = params.context_length;
    let last = select(query.w + 1u, min(first_query + POSITIONS, n), SHARED > 1u);
    let end = select(n, last, params.causal == 1u);
    return select(end, 0u, SHARED == 1u && first_query + 4u * local >= n); // no query is owned
}

fn attend(workgroup: vec3<u32>, local: u32) {
    let n = params.context_length;
    let first_query = workgroup.x * POSITIONS;
    let query = tile_indices(first_query + 4u * local, n);
    let batch = workgroup.y / params.n_heads;
    let head = workgroup.y % params.n_heads;
    let shared_head = kv_head(head, params.n_heads, params.n_kv_heads);
    let part = workgroup.z * ROW;
    let q_at = row_starts(batch, query) + vec4<u32>(q_start(head));
    let q = qkv_rows(q_at, part);
    var largest = vec4<f32>(MASKED);
    var total = vec4<f32>();
    var o = Rows();
    let end = keys_end(first_query, query, local);
    for (var first_key = 0u; first_key < end; first_key += SHARED) {
        let k_at = row_start(batch, min(first_key + local % SHARED, n - 1u)) + k_start(shared_head);
        let k = qkv_row(k_at + part);
        let v = qkv_row(k_at + v_start(0u) - k_start(0u) + part);
        for (var i = 0u; i < SHARED; i++) {
            let key = first_key + i;
            let dots = params.scale * (dots(q, of_lane(k, i)) + dots_of_other_parts(part, q_at, of_lane_u32(k_at, i)));
            // Every query attends to key 0, so `largest` is a real score from then on.
            let scores = select(vec4<f32>(MASKED), dots, are_visible(query, vec4<u32>(key)));
            let top = max(largest, scores);
            let rescale = exp(largest - top);
            let weights = exp(scores - top);
            total = total * rescale + weights;
            largest = top;
            o = add_scaled_rows(scale_rows(o, rescale), weights, of_lane(v, i));
        }
    }
    o = scale_rows(o, 1.0 / total);
    let lse = largest + log(total);
    let mine = first_query + 4u * local;
    for (var i = 0u; i < 4u; i++) { store_query(batch, head, mine + i, part, one_of(o, i), lse[i]); }
}

fn store_query(batch: u32, head: u32, query: u32, part: u32, o: Row, lse: f32) {
    if (query >= params.context_length) { return; }
    store_out_row(out_start(batch, query, head) + part, params.d_head - part, o);
    if (part == 0u) { lse_to[(batch * params.n_heads + head) * params.context_length + query] = lse; }
}
