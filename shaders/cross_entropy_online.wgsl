// The gradient of cross-entropy for GPUs, where memory is the bottleneck: maximum and sum are computed in one pass over the
// logits (Milakov & Gimelshein 2018), so a row is read twice and written once instead of three and two times.

fn row_grad_online(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    let target_at = target_index(row);
    var target_logit = 0.0;
    if (local == 0u) { target_logit = logits_to_grad[target_at]; }
    var largest = LOWEST;
    var sum = 0.0; // of exp(logit − largest)
    for (var first = 0u; first < params.vocab_size; first += params.block) {
        let start = block_start(row, first);
        let end = block_end(first);
        for (var i = first + local; i < end; i += 4u * ROW_WORKGROUP) {
            let columns = i + ROW_WORKGROUP * vec4<u32>(0u, 1u, 2u, 3u);
            let x = select(vec4<f32>(LOWEST), four_logits(start, min(columns, vec4<u32>(end - 1u))), columns < vec4<u32>(end));
            let before = largest;
            largest = max(max(largest, max(x.x, x.y)), max(x.z, x.w));
            let e = exp(x - largest);
            sum = sum * exp(before - largest) + (e.x + e.y) + (e.z + e.w);
        }
    }
    let of_row = workgroup_max(largest, local);
    sum = workgroup_sum(sum * exp(largest - of_row), local);
    storageBarrier(); // the target's logit was read
    for (var first = 0u; first < params.vocab_size; first += params.block) {
        let start = block_start(row, first);
        for (var i = first + local; i < block_end(first); i += ROW_WORKGROUP) {
            let probability = exp(logits_to_grad[start + i] - of_row) / sum;
            logits_to_grad[start + i] = scaled(row, probability - select(0.0, 1.0, start + i == target_at));
        }
    }
    if (local == 0u) { losses[row] = log(sum) + of_row - target_logit; }
}

fn four_logits(start: u32, columns: vec4<u32>) -> vec4<f32> {
    let at = start + columns;
    return vec4<f32>(logits_to_grad[at.x], logits_to_grad[at.y], logits_to_grad[at.z], logits_to_grad[at.w]);
}
