// The two roles of workgroups in flash_attention_grad_group.wgsl: those that own queries, and those that own keys.

fn grad_of_queries(workgroup: vec3<u32>, local: u32) {
    let n = params.context_length;
    let width = params.d_head / 4u;
    let row = local / SHARE;
    let mine = local % SHARE * 4u; // vectors before this part
    let query = min(workgroup.x * ROWS + row, n - 1u);
    let batch = workgroup.y / params.n_heads;
    let head = workgroup.y % params.n_heads;
    let shared_head = kv_head(head, params.n_heads, params.n_kv_heads);
    let q_at = row_start(batch, query) + head * width;
    let o_at = out_start(batch, query, head);
    let q = qkv_part(q_at, mine);
    let o_grad = out_grad_part(o_at, mine);
    let lse_q = lse[workgroup.y * n + query];
    let delta = (delta_part(o_at, 0u) + delta_part(o_at, 1u)) + (delta_part(o_at, 2u) + delta_part(o_at, 3u));
    let last = select(n - 1u, query, params.causal == 1u);
    var q_grad = mat4x4<f32>();
    let end = select(n, min((workgroup.x + 1u) * ROWS, n), params.causal == 1u);
    for (var first = 0u; first < end; first += BLOCK) {
        for (var i = local; i < BLOCK * WIDTH; i += 64u) {
            let k_at = row_start(batch, min(first + i / WIDTH, n - 1u)) + (params.n_heads + shared_head) * width;
            x_block[i / WIDTH * STRIDE + i % WIDTH] = qkv_vector(k_at, i % WIDTH);
            y_block[i / WIDTH * STRIDE + i % WIDTH] = qkv_vector(k_at + params.n_kv_heads * width, i % WIDTH);
        }
        workgroupBarrier();
        leave_dots(local, q, o_grad, mine);
        workgroupBarrier();
        for (var i = 0u; i < BLOCK; i++) {
            let dots = sum_dots(row * SHARE, i);
            let weight = exp(select(MASKED, params.scale * dots.x, first + i <= last) - lse_q);
            q_grad += x_part(i * STRIDE + mine) * (weight * (dots.y - delta));
        }
        workgroupBarrier(); // all have read the blocks before they are overwritten
    }
    if (workgroup.x * ROWS + row < n) { store_rotated(q_at, query, mine, q_grad); }
}

fn grad_of_keys(workgroup: vec3<u32>, local: u32) {
    let n = params.context_length;
    let width = params.d_head / 4u;
    let row = local / SHARE;
    let mine = local % SHARE * 4u;
    let key = min(workgroup.x * ROWS + row, n - 1u);
    let batch = workgroup.y / params.n_heads;
    let first_head = workgroup.y % params.n_heads;
    let shared_head = kv_head(first_head, params.n_heads, params.n_kv_heads);
    let k_at = row_start(batch, key) + (params.n_heads + shared_head) * width;
    let v_at = k_at + params.n_kv_heads * width;
    let k = qkv_part(k_at, mine);
    let v = qkv_part(v_at, mine);
    var k_grad = mat4x4<f32>();
    var v_grad = mat4x4<f32>();
    let start = select(0u, workgroup.x * ROWS / BLOCK * BLOCK, params.causal == 1u);
    for (var head = first_head; head < first_head + params.n_heads / params.n_kv_heads; head++) {
        let lse_at = (batch * params.n_heads + head) * n;
        for (var first = start; first < n; first += BLOCK) {
            for (var i = local; i < BLOCK * WIDTH; i += 64u) {
                let query = min(first + i / WIDTH, n - 1u);
                x_block[i / WIDTH * STRIDE + i % WIDTH] = qkv_vector(row_start(batch, query) + head * width, i % WIDTH);
                y_block[i / WIDTH * STRIDE + i % WIDTH] = out_grad_vector(out_start(batch, query, head), i % WIDTH);
            }
            if (local < 4u * BLOCK) {
                deltas[local] = delta_part(out_start(batch, min(first + local / 4u, n - 1u), head), local % 4u);
            }
            workgroupBarrier();
            leave_dots(local, k, v, mine);
            workgroupBarrier();
            for (var i = 0u; i < BLOCK; i++) {
                let query = first + i;
                let dots = sum_dots(row * SHARE, i);
                let visible = query < n && (params.causal == 0u || key <= query);
                let score = select(MASKED, params.scale * dots.x, visible);
                let weight = exp(score - lse[lse_at + min(query, n - 1u)]);
                let delta = (deltas[4u * i] + deltas[4u * i + 1u]) + (deltas[4u * i + 2u] + deltas[4u * i + 3u]);
                k_grad += x_part(i * STRIDE + mine) * (weight * (dots.y - delta));
                v_grad += y_part(i * STRIDE + mine) * weight;
            }
            workgroupBarrier();
        }
    }
    if (workgroup.x * ROWS + row >= n) { return; }
    store_rotated(k_at, key, mine, k_grad);
    store_vector(v_at, mine, v_grad[0]);
    store_vector(v_at, mine + 1u, v_grad[1]);
    store_vector(v_at, mine + 2u, v_grad[2]);
    store_vector(v_at, mine + 3u, v_grad[3]);
}
