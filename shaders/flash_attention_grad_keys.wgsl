// The half of FlashAttention's backward pass that owns keys; flash_attention_grad.wgsl has the formulas. An invocation
// owns four keys and walks over the queries of every head that shares them.

var<workgroup> deltas: array<f32, POSITIONS>; // of the queries that all invocations walk over

fn grad_of_keys(workgroup: vec3<u32>, local: u32, part: u32) {
    let n = params.context_length;
    let first_key = workgroup.x * POSITIONS;
    let key = tile_indices(first_key + 4u * local, n);
    let batch = workgroup.y / params.n_heads;
    let first_head = workgroup.y % params.n_heads;
    let shared_head = kv_head(first_head, params.n_heads, params.n_kv_heads);
    let k_at = row_starts(batch, key) + vec4<u32>(k_start(shared_head));
    let v_at = row_starts(batch, key) + vec4<u32>(v_start(shared_head));
    let k = qkv_rows(k_at, part);
    let v = qkv_rows(v_at, part);
    var k_grad = Rows();
    var v_grad = Rows();
    let start = select(0u, first_key, params.causal == 1u);
    for (var head = first_head; head < first_head + params.n_heads / params.n_kv_heads; head++) {
        for (var block = start; block < n; block += POSITIONS) {
            let mine = delta_of(out_starts(batch, tile_indices(block + 4u * local, n), head));
            deltas[4u * local] = mine.x;
            deltas[4u * local + 1u] = mine.y;
            deltas[4u * local + 2u] = mine.z;
            deltas[4u * local + 3u] = mine.w;
            workgroupBarrier();
            for (var query = block; query < min(block + POSITIONS, n); query++) {
                let q_at = row_start(batch, query) + q_start(head);
                let o_at = out_start(batch, query, head);
                let q = qkv_row(q_at + part);
                let o_grad = out_grad_row(o_at + part);
                let scores = params.scale * dot_heads(k, q, part, k_at, q_at);
                let lse_q = lse[(batch * params.n_heads + head) * n + query];
                let visible = are_visible(vec4<u32>(query), key);
                let weights = exp(select(vec4<f32>(MASKED), scores, visible) - vec4<f32>(lse_q));
                var weights_grad = dots(v, o_grad);
                for (var d = 0u; d < head_size(); d += ROW) {
                    if (d != part) { weights_grad += dots(qkv_rows(v_at, d), out_grad_row(o_at + d)); }
                }
                k_grad = add_scaled_rows(k_grad, weights * (weights_grad - deltas[query - block]), q);
                v_grad = add_scaled_rows(v_grad, weights, o_grad);
            }
            workgroupBarrier(); // nobody overwrites the deltas before everybody has read them
        }
    }
    let mine = first_key + 4u * local;
    store_rotated(batch, mine, k_start(shared_head), part, k_grad.x);
    store_rotated(batch, mine + 1u, k_start(shared_head), part, k_grad.y);
    store_rotated(batch, mine + 2u, k_start(shared_head), part, k_grad.z);
    store_rotated(batch, mine + 3u, k_start(shared_head), part, k_grad.w);
    store_value(batch, mine, v_start(shared_head), part, v_grad.x);
    store_value(batch, mine + 1u, v_start(shared_head), part, v_grad.y);
    store_value(batch, mine + 2u, v_start(shared_head), part, v_grad.z);
    store_value(batch, mine + 3u, v_start(shared_head), part, v_grad.w);
}
