// The gradient of the embedding without workgroup memory: LANES invocations of a subgroup share one row of the table.
// They check LANES ids at a time; for each hit, every invocation adds its columns of that row of out_grad, in ascending
// order.

fn sum_hits(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let v = flat_workgroup(workgroup, workgroups);
    if (v >= params.vocab_size) { return; }
    let n_tokens = min(params.n_tokens, arrayLength(&ids)); // as in linear_grad.wgsl, for llvmpipe
    if (params.accumulate == 0u) {
        for (var c = local; c < params.d_model; c += LANES) { table_grad[v * params.d_model + c] = 0.0; }
    }
    for (var first = 0u; first < n_tokens; first += LANES) {
        let n = min(first + local, n_tokens - 1u);
        let hit = u32(first + local < n_tokens && ids[n] - params.first_id == v);
        if (subgroupMax(hit) == 0u) { continue; }
        for (var lane = 0u; lane < LANES; lane++) {
            if (subgroupShuffle(hit, lane) == 1u) { add_row(v, first + lane, local); }
        }
    }
}

fn add_row(v: u32, n: u32, local: u32) {
    for (var c = local; c < params.d_model; c += LANES) {
        table_grad[v * params.d_model + c] += out_grad[n * params.d_model + c];
    }
}
