// The gradient of a bias by columns, for GPUs: one workgroup per eight columns.

@compute @workgroup_size(64)
fn bias_grad_columns(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = flat_workgroup(workgroup, workgroups);
    if (COLUMNS * block >= params.n_cols) { return; }
    let total = column_sum(block, params.n_rows, params.n_cols, local);
    let c = COLUMNS * block + local;
    if (local < COLUMNS && c < params.n_cols) { bias_grad_out[c] = total; }
}
