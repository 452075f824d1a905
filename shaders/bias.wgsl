// The bias of a linear layer or of LayerNorm: one trainable parameter per column.

struct Params {
    n_rows: u32,
    n_cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// y[n, c] ← y[n, c] + bias[c]
@group(0) @binding(1) var<storage, read> bias_in: array<f32>; // (C)
@group(0) @binding(2) var<storage, read_write> y: array<Number2>; // (N, C)

@compute @workgroup_size(64)
fn bias(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.n_rows * params.n_cols) { return; }
    y[i] = Number2(f32(y[i]) + bias_in[i % params.n_cols]);
}

// y[n, c] = … + bias[c], so bias_grad[c] = Σ_n y_grad[n, c]. One workgroup per column.
@group(0) @binding(1) var<storage, read> y_grad: array<f32>; // (N, C)
@group(0) @binding(2) var<storage, read_write> bias_grad_out: array<f32>; // (C)

fn column_term(row: u32, c: u32) -> f32 { return y_grad[row * params.n_cols + c]; }

@compute @workgroup_size(64)
fn bias_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let c = flat_workgroup(workgroup, workgroups);
    if (c >= params.n_cols) { return; }
    var sum = 0.0;
    for (var row = local; row < params.n_rows; row += ROW_WORKGROUP) {
        sum += column_term(row, c);
    }
    let total = workgroup_sum(sum, local);
    if (local == 0u) {
        bias_grad_out[c] = total;
    }
}
