// FlashAttention-2 (Dao 2023), backward. Recomputes the weights one by one from the scores and the log-sum-exp stored by
// the forward pass. With out = weights · v and weights = softmax(scores), scores = scale · q·kᵀ:
//   scores_grad = weights ⊙ (out_grad·vᵀ − delta),   delta = Σ_d out_grad · out, which is Σ weights · weights_grad
//   q_grad = scale · scores_grad · k,   k_grad = scale · scores_gradᵀ · q,   v_grad = weightsᵀ · out_grad
// One dispatch for all: workgroups with even z own queries, those with odd z own keys.

@group(0) @binding(4) var<storage, read> lse: array<f32>; // (B, H, T)

// Parts of four heads in out_grad, which begin at `at`.
fn out_grad_rows(at: vec4<u32>, part: u32) -> Rows {
    var rows = Rows();
    for (var i = 0u; i < 4u; i++) {
        rows = with_row(rows, i, inside(out_grad_row(at[i] + part), params.d_head - part));
    }
    return rows;
}

fn out_starts(batch: u32, position: vec4<u32>, head: u32) -> vec4<u32> {
    return vec4<u32>(
        out_start(batch, position.x, head),
        out_start(batch, position.y, head),
        out_start(batch, position.z, head),
        out_start(batch, position.w, head),
    );
}

fn delta_of(at: vec4<u32>) -> vec4<f32> {
    var deltas = vec4<f32>();
    for (var i = 0u; i < 4u; i++) { deltas[i] = delta(at[i]); }
    return deltas;
}

// (x₀, x₁) ← (x₀·cos + x₁·sin, x₁·cos − x₀·sin), two pairs
fn turn_back(x: vec4<f32>, at: u32) -> vec4<f32> {
    let t = cos_sin_at(at);
    return x * t.xxzz + x.yxwz * t.yyww * vec4<f32>(1.0, -1.0, 1.0, -1.0);
}

fn store_rotated(batch: u32, position: u32, start: u32, part: u32, sums: Row) {
    if (position >= params.context_length) { return; }
    var grad = scale_row(sums, params.scale);
    if (position < params.rotated * params.context_length) { grad = unrotated(grad, position * params.d_head + part); }
    store_grad_row(row_start(batch, position) + start + part, params.d_head - part, grad);
}

fn store_value(batch: u32, position: u32, start: u32, part: u32, sums: Row) {
    if (position >= params.context_length) { return; }
    store_grad_row(row_start(batch, position) + start + part, params.d_head - part, sums);
}

fn attend_grad(workgroup: vec3<u32>, local: u32) {
    let part = workgroup.z / 2u * ROW;
    if (workgroup.z % 2u == 0u) {
        grad_of_queries(workgroup, local, part);
    } else if (workgroup.y % (params.n_heads / params.n_kv_heads) == 0u) { // the first of the heads that share these keys
        grad_of_keys(workgroup, local, part);
    }
}

fn grad_of_queries(workgroup: vec3<u32>, local: u32, part: u32) {
    let n = params.context_length;
    let first_query = workgroup.x * POSITIONS;
    let query = tile_indices(first_query + 4u * local, n);
    let batch = workgroup.y / params.n_heads;
    let head = workgroup.y % params.n_heads;
    let shared_head = kv_head(head, params.n_heads, params.n_kv_heads);
    let q_at = row_starts(batch, query) + vec4<u32>(q_start(head));
    let o_at = out_starts(batch, query, head);
    let q = qkv_rows(q_at, part);
    let o_grad = out_grad_rows(o_at, part);
    let lse_at = query + vec4<u32>(workgroup.y * n);
    let lse_q = vec4<f32>(lse[lse_at.x], lse[lse_at.y], lse[lse_at.z], lse[lse_at.w]);
    let delta_q = delta_of(o_at);
    var q_grad = Rows();
    let end = keys_end(first_query, query, local);
    for (var first_key = 0u; first_key < end; first_key += SHARED) {
        let k_at = row_start(batch, min(first_key + local % SHARED, n - 1u)) + k_start(shared_head);
        let v_at = k_at + v_start(0u) - k_start(0u);
        let own_k = qkv_row(k_at + part);
        let own_v = qkv_row(v_at + part);
        for (var i = 0u; i < SHARED; i++) {
            let k = of_lane(own_k, i);
            let scores = params.scale * (dots(q, k) + dots_of_other_parts(part, q_at, of_lane_u32(k_at, i)));
            let visible = are_visible(query, vec4<u32>(first_key + i));
            let weights = exp(select(vec4<f32>(MASKED), scores, visible) - lse_q);
            let weights_grad = dots(o_grad, of_lane(own_v, i)) + grads_of_other_parts(part, o_at, of_lane_u32(v_at, i));
            q_grad = add_scaled_rows(q_grad, weights * (weights_grad - delta_q), k);
        }
    }
    let mine = first_query + 4u * local;
    for (var i = 0u; i < 4u; i++) { store_rotated(batch, mine + i, q_start(head), part, one_of(q_grad, i)); }
}
