// FlashAttention-2 (Dao 2023), backward to the queries. The weights come back tile by tile from the scores and the
// log-sum-exp that the forward pass kept. With out = weights · v and weights = softmax(scores):
//   weights_grad = out_grad · vᵀ
//   scores_grad  = weights ⊙ (weights_grad − delta),   delta = Σ_d out_grad · out, which is Σ weights · weights_grad
//   q_grad       = scale · scores_grad · k

@group(0) @binding(1) var<storage, read> q: array<f32>; // (B, T, H, D)
@group(0) @binding(2) var<storage, read> k: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(3) var<storage, read> v: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(4) var<storage, read> out_grad: array<f32>; // (B, T, H, D)
@group(0) @binding(5) var<storage, read> lse: array<f32>; // (B, H, T)
@group(0) @binding(6) var<storage, read> delta: array<f32>; // (B, H, T)
@group(0) @binding(7) var<storage, read_write> q_grad: array<f32>; // (B, T, H, D)

var<workgroup> tile: array<f32, TILE_PAIRS>; // (rows, cols), queries × keys: scores_grad

@compute @workgroup_size(64)
fn flash_attention_grad_q(
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
    let d = tile_indices(at.y, params.d_head) + vec4<u32>(kv_origin);
    var g0 = vec4<f32>();
    var g1 = vec4<f32>();
    var g2 = vec4<f32>();
    var g3 = vec4<f32>();
    let end = select(n, min(first_query + rows, n), params.causal == 1u);
    for (var first_key = 0u; first_key < end; first_key += params.cols) {
        let query = tile_indices(first_query + at.x, n);
        let key = tile_indices(first_key + at.y, n) * kv_width + vec4<u32>(kv_origin);
        pairs(query * q_width + vec4<u32>(q_origin), key, query + vec4<u32>(workgroup.y * n), first_query, first_key, at);
        workgroupBarrier();
        let row = (at.x + vec4<u32>(0u, 1u, 2u, 3u)) * params.cols;
        for (var i = 0u; i < min(params.cols, n - first_key); i++) {
            let value_at = d + vec4<u32>((first_key + i) * kv_width);
            let value = vec4<f32>(k[value_at.x], k[value_at.y], k[value_at.z], k[value_at.w]);
            g0 += tile[row.x + i] * value;
            g1 += tile[row.y + i] * value;
            g2 += tile[row.z + i] * value;
            g3 += tile[row.w + i] * value;
        }
        workgroupBarrier(); // nobody overwrites the tile before everybody has summed it
    }
    store_row(q_origin, first_query + at.x, at.y, g0);
    store_row(q_origin, first_query + at.x + 1u, at.y, g1);
    store_row(q_origin, first_query + at.x + 2u, at.y, g2);
    store_row(q_origin, first_query + at.x + 3u, at.y, g3);
}

// Four queries × four keys of scores_grad. `query` and `key` tell where the vectors begin, `row` where the queries'
// log-sum-exp and delta are.
fn pairs(query: vec4<u32>, key: vec4<u32>, row: vec4<u32>, first_query: u32, first_key: u32, at: vec2<u32>) {
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var w0 = vec4<f32>();
    var w1 = vec4<f32>();
    var w2 = vec4<f32>();
    var w3 = vec4<f32>();
    for (var d = 0u; d < params.d_head; d++) {
        let kd = vec4<f32>(k[key.x + d], k[key.y + d], k[key.z + d], k[key.w + d]);
        s0 += q[query.x + d] * kd;
        s1 += q[query.y + d] * kd;
        s2 += q[query.z + d] * kd;
        s3 += q[query.w + d] * kd;
        let vd = vec4<f32>(v[key.x + d], v[key.y + d], v[key.z + d], v[key.w + d]);
        w0 += out_grad[query.x + d] * vd;
        w1 += out_grad[query.y + d] * vd;
        w2 += out_grad[query.z + d] * vd;
        w3 += out_grad[query.w + d] * vd;
    }
    let first = vec2<u32>(first_query, first_key) + at;
    set_row(at.x, at.y, s0, w0, row.x, visible_keys(first.x, first.y));
    set_row(at.x + 1u, at.y, s1, w1, row.y, visible_keys(first.x + 1u, first.y));
    set_row(at.x + 2u, at.y, s2, w2, row.z, visible_keys(first.x + 2u, first.y));
    set_row(at.x + 3u, at.y, s3, w3, row.w, visible_keys(first.x + 3u, first.y));
}

fn set_row(row: u32, col: u32, dots: vec4<f32>, weights_grad: vec4<f32>, at_query: u32, visible: vec4<bool>) {
    let scores = select(vec4<f32>(MASKED), params.scale * dots, visible);
    let scores_grad = exp(scores - vec4<f32>(lse[at_query])) * (weights_grad - vec4<f32>(delta[at_query]));
    let at = row * params.cols + col;
    tile[at] = scores_grad.x;
    tile[at + 1u] = scores_grad.y;
    tile[at + 2u] = scores_grad.z;
    tile[at + 3u] = scores_grad.w;
}

fn store_row(q_origin: u32, query: u32, d: u32, sums: vec4<f32>) {
    if (query >= params.context_length) { return; }
    let start = q_origin + query * params.n_heads * params.d_head;
    store(start, d, sums.x);
    store(start, d + 1u, sums.y);
    store(start, d + 2u, sums.z);
    store(start, d + 3u, sums.w);
}

fn store(start: u32, d: u32, sum: f32) {
    if (d >= params.d_head) { return; }
    q_grad[start + d] = params.scale * sum;
}

// delta[query] = Σ_d out_grad[query, d] · out[query, d]
@group(0) @binding(1) var<storage, read> out: array<f32>; // (B, T, H, D)
@group(0) @binding(2) var<storage, read> out_grad_of_delta: array<f32>; // (B, T, H, D)
@group(0) @binding(3) var<storage, read_write> delta_out: array<f32>; // (B, H, T)

@compute @workgroup_size(64)
fn flash_attention_delta(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = params.context_length;
    let query = workgroup.x * 64u + local;
    if (query >= n) { return; }
    let start = origin(workgroup.y / params.n_heads, workgroup.y % params.n_heads, params.n_heads)
        + query * params.n_heads * params.d_head;
    var sum = 0.0;
    for (var i = start; i < start + params.d_head; i++) {
        sum += out_grad_of_delta[i] * out[i];
    }
    delta_out[workgroup.y * n + query] = sum;
}
