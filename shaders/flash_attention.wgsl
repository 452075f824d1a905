// FlashAttention-2 (Dao 2023), forward: out = softmax(scale · q·kᵀ) · v without the matrix of scores in memory. A
// workgroup owns a tile of queries and walks over the keys, tile by tile. The softmax is kept up to date on the way:
// when a larger score turns up, what has been summed so far is scaled down.

@group(0) @binding(1) var<storage, read> q: array<f32>; // (B, T, H, D)
@group(0) @binding(2) var<storage, read> k: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(3) var<storage, read> v: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // (B, T, H, D)
@group(0) @binding(5) var<storage, read_write> lse: array<f32>; // (B, H, T), ln Σ exp(scale · q·k)

var<workgroup> tile: array<f32, TILE_PAIRS>; // (rows, cols): scores, then exp(score − largest)
var<workgroup> largest: array<f32, 256>; // by row: the largest score so far
var<workgroup> total: array<f32, 256>; // Σ exp(score − largest) so far
var<workgroup> rescale: array<f32, 256>; // what the sums before this tile are multiplied by

@compute @workgroup_size(64)
fn flash_attention(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = params.context_length;
    let rows = TILE_PAIRS / params.cols;
    let first_query = workgroup.x * rows;
    let batch = workgroup.y / params.n_heads;
    let head = workgroup.y % params.n_heads;
    let q_width = params.n_heads * params.d_head;
    let q_origin = origin(batch, head, params.n_heads);
    let kv_width = params.n_kv_heads * params.d_head;
    let kv_origin = origin(batch, kv_head(head, params.n_heads, params.n_kv_heads), params.n_kv_heads);
    let at = place(local);
    let query = tile_indices(first_query + at.x, n) * q_width + vec4<u32>(q_origin);
    let d = tile_indices(at.y, params.d_head) + vec4<u32>(kv_origin);
    for (var row = local; row < rows; row += 64u) {
        largest[row] = MASKED;
        total[row] = 0.0;
    }
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var o2 = vec4<f32>();
    var o3 = vec4<f32>();
    let end = select(n, min(first_query + rows, n), params.causal == 1u);
    for (var first_key = 0u; first_key < end; first_key += params.cols) {
        score(first_query + at.x, query, first_key + at.y, kv_width, kv_origin, at);
        workgroupBarrier();
        for (var row = local; row < rows; row += 64u) {
            soften(row);
        }
        workgroupBarrier();
        o0 *= rescale[at.x];
        o1 *= rescale[at.x + 1u];
        o2 *= rescale[at.x + 2u];
        o3 *= rescale[at.x + 3u];
        let row = (at.x + vec4<u32>(0u, 1u, 2u, 3u)) * params.cols;
        for (var key = 0u; key < min(params.cols, n - first_key); key++) {
            let value_at = d + vec4<u32>((first_key + key) * kv_width);
            let value = vec4<f32>(v[value_at.x], v[value_at.y], v[value_at.z], v[value_at.w]);
            o0 += tile[row.x + key] * value;
            o1 += tile[row.y + key] * value;
            o2 += tile[row.z + key] * value;
            o3 += tile[row.w + key] * value;
        }
        workgroupBarrier(); // nobody overwrites the tile before everybody has summed it
    }
    store_row(q_origin, first_query, at.x, at.y, o0);
    store_row(q_origin, first_query, at.x + 1u, at.y, o1);
    store_row(q_origin, first_query, at.x + 2u, at.y, o2);
    store_row(q_origin, first_query, at.x + 3u, at.y, o3);
    for (var row = local; row < min(rows, n - first_query); row += 64u) {
        lse[workgroup.y * n + first_query + row] = largest[row] + log(total[row]);
    }
}

// tile[row, col] = scale · q·k, or MASKED; `query` holds where four queries begin in q.
fn score(first_query: u32, query: vec4<u32>, first_key: u32, kv_width: u32, kv_origin: u32, at: vec2<u32>) {
    let key = tile_indices(first_key, params.context_length) * kv_width + vec4<u32>(kv_origin);
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    for (var d = 0u; d < params.d_head; d++) {
        let kd = vec4<f32>(k[key.x + d], k[key.y + d], k[key.z + d], k[key.w + d]);
        s0 += q[query.x + d] * kd;
        s1 += q[query.y + d] * kd;
        s2 += q[query.z + d] * kd;
        s3 += q[query.w + d] * kd;
    }
    set_scores(at.x, at.y, s0, visible_keys(first_query, first_key));
    set_scores(at.x + 1u, at.y, s1, visible_keys(first_query + 1u, first_key));
    set_scores(at.x + 2u, at.y, s2, visible_keys(first_query + 2u, first_key));
    set_scores(at.x + 3u, at.y, s3, visible_keys(first_query + 3u, first_key));
}

fn set_scores(row: u32, col: u32, dots: vec4<f32>, visible: vec4<bool>) {
    let scores = select(vec4<f32>(MASKED), params.scale * dots, visible);
    let at = row * params.cols + col;
    tile[at] = scores.x;
    tile[at + 1u] = scores.y;
    tile[at + 2u] = scores.z;
    tile[at + 3u] = scores.w;
}

// One row of the tile: scores become exponentials, and largest, total and rescale take them in. The first tile holds
// key 0, which every query sees, so `largest` is a real score from then on.
fn soften(row: u32) {
    let start = row * params.cols;
    var top = largest[row];
    for (var i = start; i < start + params.cols; i++) {
        top = max(top, tile[i]);
    }
    var sum = 0.0;
    for (var i = start; i < start + params.cols; i++) {
        let e = exp(tile[i] - top);
        tile[i] = e;
        sum += e;
    }
    rescale[row] = exp(largest[row] - top);
    total[row] = total[row] * rescale[row] + sum;
    largest[row] = top;
}

fn store_row(q_origin: u32, first_query: u32, row: u32, d: u32, sums: vec4<f32>) {
    let query = first_query + row;
    if (query >= params.context_length) { return; }
    let start = q_origin + query * params.n_heads * params.d_head;
    let values = sums / total[row];
    store(start, d, values.x);
    store(start, d + 1u, values.y);
    store(start, d + 2u, values.z);
    store(start, d + 3u, values.w);
}

fn store(start: u32, d: u32, value: f32) {
    if (d >= params.d_head) { return; }
    out[start + d] = value;
}
