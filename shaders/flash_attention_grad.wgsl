// FlashAttention-2 (Dao 2023), backward. The weights come back one by one from the scores and the log-sum-exp that the
// forward pass kept. With out = weights · v and weights = softmax(scores), scores = scale · q·kᵀ:
//   scores_grad = weights ⊙ (out_grad·vᵀ − delta),   delta = Σ_d out_grad · out, which is Σ weights · weights_grad
//   q_grad = scale · scores_grad · k,   k_grad = scale · scores_gradᵀ · q,   v_grad = weightsᵀ · out_grad
// One dispatch for all: workgroups of even z own queries, those of odd z own keys.

@group(0) @binding(4) var<storage, read> lse: array<f32>; // (B, H, T)

var<workgroup> deltas: array<f32, POSITIONS>; // of the queries that all invocations walk over

// out_grad·v. `own` is the part of one of them that this invocation holds.
fn dot_out_grad(own: Row, other: Row, part: u32, out_grad_start: u32, v: u32) -> f32 {
    var sum = dot_rows(own, other);
    for (var d = 0u; d < params.d_head; d += ROW) {
        if (d != part) {
            sum += dot_rows(inside(out_grad_row(out_grad_start + d), params.d_head - d), qkv_row(v + d));
        }
    }
    return sum;
}

// delta of the query whose head begins at `at` in out.
fn delta(at: u32) -> f32 {
    var sum = 0.0;
    for (var d = 0u; d < params.d_head; d += ROW) {
        sum += dot_rows(inside(out_grad_row(at + d), params.d_head - d), out_row(at + d));
    }
    return sum;
}

// (x₀, x₁) ← (x₀·cos + x₁·sin, x₁·cos − x₀·sin), two pairs
fn turn_back(x: vec4<f32>, at: u32) -> vec4<f32> {
    let t = cos_sin_at(at);
    return x * t.xxzz + x.yxwz * t.yyww * vec4<f32>(1.0, -1.0, 1.0, -1.0);
}

fn store_rotated(at: u32, position: u32, part: u32, sums: Row) {
    var grad = scale_row(sums, params.scale);
    if (params.rotated == 1u) {
        grad = unrotated(grad, position * params.d_head + part);
    }
    store_grad_row(at + part, params.d_head - part, grad);
}

fn attend_grad(workgroup: vec3<u32>, local: u32) {
    let part = workgroup.z / 2u * ROW;
    if (workgroup.z % 2u == 0u) {
        grad_of_query(workgroup, local, part);
    } else if (workgroup.y % (params.n_heads / params.n_kv_heads) == 0u) { // the first of the heads that share these keys
        grad_of_key(workgroup, local, part);
    }
}

fn grad_of_query(workgroup: vec3<u32>, local: u32, part: u32) {
    let n = params.context_length;
    let first_query = workgroup.x * POSITIONS;
    let query = min(first_query + local, n - 1u);
    let batch = workgroup.y / params.n_heads;
    let head = workgroup.y % params.n_heads;
    let shared_head = kv_head(head, params.n_heads, params.n_kv_heads);
    let q_at = row_start(batch, query) + q_start(head);
    let out_at = out_start(batch, query, head);
    let q = inside(qkv_row(q_at + part), params.d_head - part);
    let o_grad = inside(out_grad_row(out_at + part), params.d_head - part);
    let lse_q = lse[workgroup.y * n + query];
    let delta_q = delta(out_at);
    var q_grad = Row();
    let end = select(n, min(first_query + POSITIONS, n), params.causal == 1u);
    for (var key = 0u; key < end; key++) {
        let k_at = row_start(batch, key) + k_start(shared_head);
        let v_at = row_start(batch, key) + v_start(shared_head);
        let score = params.scale * dot_heads(q, part, q_at, k_at);
        let weight = exp(select(MASKED, score, is_visible(query, key)) - lse_q);
        let weight_grad = dot_out_grad(o_grad, qkv_row(v_at + part), part, out_at, v_at);
        q_grad = add_scaled(q_grad, weight * (weight_grad - delta_q), qkv_row(k_at + part));
    }
    if (first_query + local >= n) { return; }
    store_rotated(q_at, query, part, q_grad);
}

fn grad_of_key(workgroup: vec3<u32>, local: u32, part: u32) {
    let n = params.context_length;
    let first_key = workgroup.x * POSITIONS;
    let key = min(first_key + local, n - 1u);
    let batch = workgroup.y / params.n_heads;
    let first_head = workgroup.y % params.n_heads;
    let shared_head = kv_head(first_head, params.n_heads, params.n_kv_heads);
    let k_at = row_start(batch, key) + k_start(shared_head);
    let v_at = row_start(batch, key) + v_start(shared_head);
    let k = inside(qkv_row(k_at + part), params.d_head - part);
    let v = inside(qkv_row(v_at + part), params.d_head - part);
    var k_grad = Row();
    var v_grad = Row();
    let start = select(0u, first_key, params.causal == 1u);
    for (var head = first_head; head < first_head + params.n_heads / params.n_kv_heads; head++) {
        for (var block = start; block < n; block += POSITIONS) {
            deltas[local] = delta(out_start(batch, min(block + local, n - 1u), head));
            workgroupBarrier();
            for (var query = block; query < min(block + POSITIONS, n); query++) {
                let q_at = row_start(batch, query) + q_start(head);
                let out_at = out_start(batch, query, head);
                let q = qkv_row(q_at + part);
                let o_grad = out_grad_row(out_at + part);
                let score = params.scale * dot_heads(k, part, k_at, q_at);
                let lse_q = lse[(batch * params.n_heads + head) * n + query];
                let weight = exp(select(MASKED, score, is_visible(query, key)) - lse_q);
                let weight_grad = dot_out_grad(v, o_grad, part, out_at, v_at);
                k_grad = add_scaled(k_grad, weight * (weight_grad - deltas[query - block]), q);
                v_grad = add_scaled(v_grad, weight, o_grad);
            }
            workgroupBarrier(); // nobody overwrites the deltas before everybody has read them
        }
    }
    if (first_key + local >= n) { return; }
    store_rotated(k_at, key, part, k_grad);
    store_grad_row(v_at + part, params.d_head - part, v_grad);
}
