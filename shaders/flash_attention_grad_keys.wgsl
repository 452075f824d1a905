// The half of FlashAttention's backward pass that owns keys; flash_attention_grad.wgsl has the formulas. An invocation
// owns four keys and loops over the queries of every head that shares them.

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
            prepare_deltas(block, local, batch, head);
            // Earlier queries do not attend to an invocation's keys; invocations that share queries use the same range.
            let from_key = select(block, max(block, key.x), SHARED == 1u && params.causal == 1u);
            for (var group = from_key; group < min(block + POSITIONS, n); group += SHARED) {
                let own = min(group + local % SHARED, n - 1u);
                let q_at = row_start(batch, own) + q_start(head);
                let o_at = out_start(batch, own, head);
                let own_q = qkv_row(q_at + part);
                let own_o_grad = inside(out_grad_row(o_at + part), params.d_head - part);
                let own_lse = lse[(batch * params.n_heads + head) * n + own];
                let own_delta = delta_of_query(own - block, o_at);
                for (var i = 0u; i < SHARED; i++) {
                    let q = of_lane(own_q, i);
                    let o_grad = of_lane(own_o_grad, i);
                    let scores = params.scale * (dots(k, q) + dots_of_other_parts(part, k_at, of_lane_u32(q_at, i)));
                    // Queries past the last one attend to nothing.
                    let visible = select(vec4<bool>(), are_visible(vec4<u32>(group + i), key), group + i < n);
                    let weights = exp(select(vec4<f32>(MASKED), scores, visible) - vec4<f32>(of_lane_f32(own_lse, i)));
                    let weights_grad = dots(v, o_grad) + values_of_other_parts(part, v_at, of_lane_u32(o_at, i));
                    k_grad = add_scaled_rows(k_grad, weights * (weights_grad - of_lane_f32(own_delta, i)), q);
                    v_grad = add_scaled_rows(v_grad, weights, o_grad);
                }
            }
            leave_deltas();
        }
    }
    let mine = first_key + 4u * local;
    for (var i = 0u; i < 4u; i++) {
        store_rotated(batch, mine + i, k_start(shared_head), part, one_of(k_grad, i));
        store_value(batch, mine + i, v_start(shared_head), part, one_of(v_grad, i));
    }
}
