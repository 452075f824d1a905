// The gradients of a norm with the gradient of its gain by columns, for GPUs: one workgroup per row for the gradient of x,
// then one per eight channels.

fn norm_grads_by_columns(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let which = flat_workgroup(workgroup, workgroups);
    if (which < params.n_rows) {
        grad_of_x(which, local);
        return;
    }
    let block = which - params.n_rows;
    if (COLUMNS * block >= params.d_model) { return; }
    let total = column_sum(block, params.n_rows, params.d_model, local);
    let c = COLUMNS * block + local;
    if (local < COLUMNS && c < params.d_model) { gain_grad[c] = total; }
}
