// FlashAttention-2 (Dao 2023), backward to keys and values. A workgroup owns a tile of keys and walks over the queries
// of every head that shares them. With weights, scores_grad and delta as in flash_attention_grad_q.wgsl:
//   v_grad = weightsᵀ · out_grad,   k_grad = scale · scores_gradᵀ · q

@group(0) @binding(1) var<storage, read> q: array<f32>; // (B, T, H, D)
@group(0) @binding(2) var<storage, read> k: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(3) var<storage, read> v: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(4) var<storage, read> out_grad: array<f32>; // (B, T, H, D)
@group(0) @binding(5) var<storage, read> lse: array<f32>; // (B, H, T)
@group(0) @binding(6) var<storage, read> delta: array<f32>; // (B, H, T)
@group(0) @binding(7) var<storage, read_write> k_grad: array<f32>; // (B, T, Hkv, D)
@group(0) @binding(8) var<storage, read_write> v_grad: array<f32>; // (B, T, Hkv, D)

var<workgroup> weights: array<f32, TILE_PAIRS>; // (rows, cols), keys × queries
var<workgroup> scores_grad: array<f32, TILE_PAIRS>; // the same

@compute @workgroup_size(64)
fn flash_attention_grad_kv(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let n = params.context_length;
    let first_key = workgroup.x * (TILE_PAIRS / params.cols);
    let batch = workgroup.y / params.n_kv_heads;
    let shared_head = workgroup.y % params.n_kv_heads;
    let group = params.n_heads / params.n_kv_heads;
    let q_width = params.n_heads * params.d_head;
    let kv_origin = origin(batch, shared_head, params.n_kv_heads);
    let at = place(local);
    let key = tile_indices(first_key + at.x, n) * (params.n_kv_heads * params.d_head) + vec4<u32>(kv_origin);
    let row = (at.x + vec4<u32>(0u, 1u, 2u, 3u)) * params.cols;
    var k0 = vec4<f32>();
    var k1 = vec4<f32>();
    var k2 = vec4<f32>();
    var k3 = vec4<f32>();
    var v0 = vec4<f32>();
    var v1 = vec4<f32>();
    var v2 = vec4<f32>();
    var v3 = vec4<f32>();
    let start = select(0u, first_key, params.causal == 1u);
    for (var head = shared_head * group; head < (shared_head + 1u) * group; head++) {
        let q_origin = origin(batch, head, params.n_heads);
        let d = tile_indices(at.y, params.d_head) + vec4<u32>(q_origin);
        for (var first_query = start; first_query < n; first_query += params.cols) {
            let query = tile_indices(first_query + at.y, n);
            let lse_at = query + vec4<u32>((batch * params.n_heads + head) * n);
            pairs(key, query * q_width + vec4<u32>(q_origin), lse_at, vec2<u32>(first_key, first_query) + at, at);
            workgroupBarrier();
            for (var i = 0u; i < min(params.cols, n - first_query); i++) {
                let value_at = d + vec4<u32>((first_query + i) * q_width);
                let q_d = vec4<f32>(q[value_at.x], q[value_at.y], q[value_at.z], q[value_at.w]);
                k0 += scores_grad[row.x + i] * q_d;
                k1 += scores_grad[row.y + i] * q_d;
                k2 += scores_grad[row.z + i] * q_d;
                k3 += scores_grad[row.w + i] * q_d;
                let grad_d = vec4<f32>(out_grad[value_at.x], out_grad[value_at.y], out_grad[value_at.z], out_grad[value_at.w]);
                v0 += weights[row.x + i] * grad_d;
                v1 += weights[row.y + i] * grad_d;
                v2 += weights[row.z + i] * grad_d;
                v3 += weights[row.w + i] * grad_d;
            }
            workgroupBarrier(); // nobody overwrites the tiles before everybody has summed them
        }
    }
    store_row(kv_origin, first_key + at.x, at.y, k0, v0);
    store_row(kv_origin, first_key + at.x + 1u, at.y, k1, v1);
    store_row(kv_origin, first_key + at.x + 2u, at.y, k2, v2);
    store_row(kv_origin, first_key + at.x + 3u, at.y, k3, v3);
}

// Four keys × four queries of weights and scores_grad. `key` and `query` tell where the vectors begin, `lse_at` where
// the queries' log-sum-exp and delta are; `first` is the first key and the first query.
fn pairs(key: vec4<u32>, query: vec4<u32>, lse_at: vec4<u32>, first: vec2<u32>, at: vec2<u32>) {
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var w0 = vec4<f32>();
    var w1 = vec4<f32>();
    var w2 = vec4<f32>();
    var w3 = vec4<f32>();
    for (var d = 0u; d < params.d_head; d++) {
        let q_d = vec4<f32>(q[query.x + d], q[query.y + d], q[query.z + d], q[query.w + d]);
        s0 += k[key.x + d] * q_d;
        s1 += k[key.y + d] * q_d;
        s2 += k[key.z + d] * q_d;
        s3 += k[key.w + d] * q_d;
        let grad_d = vec4<f32>(
            out_grad[query.x + d],
            out_grad[query.y + d],
            out_grad[query.z + d],
            out_grad[query.w + d],
        );
        w0 += v[key.x + d] * grad_d;
        w1 += v[key.y + d] * grad_d;
        w2 += v[key.z + d] * grad_d;
        w3 += v[key.w + d] * grad_d;
    }
    let lse_q = vec4<f32>(lse[lse_at.x], lse[lse_at.y], lse[lse_at.z], lse[lse_at.w]);
    let delta_q = vec4<f32>(delta[lse_at.x], delta[lse_at.y], delta[lse_at.z], delta[lse_at.w]);
    set_row(at.x, at.y, s0, w0 - delta_q, lse_q, visible_queries(first.y, first.x));
    set_row(at.x + 1u, at.y, s1, w1 - delta_q, lse_q, visible_queries(first.y, first.x + 1u));
    set_row(at.x + 2u, at.y, s2, w2 - delta_q, lse_q, visible_queries(first.y, first.x + 2u));
    set_row(at.x + 3u, at.y, s3, w3 - delta_q, lse_q, visible_queries(first.y, first.x + 3u));
}

fn set_row(row: u32, col: u32, dots: vec4<f32>, pull: vec4<f32>, lse_q: vec4<f32>, visible: vec4<bool>) {
    let w = exp(select(vec4<f32>(MASKED), params.scale * dots, visible) - lse_q);
    let at = row * params.cols + col;
    weights[at] = w.x;
    weights[at + 1u] = w.y;
    weights[at + 2u] = w.z;
    weights[at + 3u] = w.w;
    scores_grad[at] = w.x * pull.x;
    scores_grad[at + 1u] = w.y * pull.y;
    scores_grad[at + 2u] = w.z * pull.z;
    scores_grad[at + 3u] = w.w * pull.w;
}

fn store_row(kv_origin: u32, key: u32, d: u32, k_sums: vec4<f32>, v_sums: vec4<f32>) {
    if (key >= params.context_length) { return; }
    let start = kv_origin + key * params.n_kv_heads * params.d_head;
    store(start, d, k_sums.x, v_sums.x);
    store(start, d + 1u, k_sums.y, v_sums.y);
    store(start, d + 2u, k_sums.z, v_sums.z);
    store(start, d + 3u, k_sums.w, v_sums.w);
}

fn store(start: u32, d: u32, k_sum: f32, v_sum: f32) {
    if (d >= params.d_head) { return; }
    k_grad[start + d] = params.scale * k_sum;
    v_grad[start + d] = v_sum;
}
