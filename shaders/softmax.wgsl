// Softmax over rows, in place. One workgroup per row.

struct Params {
    n_rows: u32,
    n_cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// x[c] ← exp(x[c] − max) / Σ exp(x − max); subtracting the maximum keeps exp from overflowing
@group(0) @binding(1) var<storage, read_write> x: array<f32>; // (rows, cols)

@compute @workgroup_size(64)
fn softmax(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    let start = row * params.n_cols;
    let end = start + params.n_cols;
    var largest = -3.4028234e38; // no invocation reads an element that another one overwrites
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        largest = max(largest, x[i]);
    }
    largest = workgroup_max(largest, local);
    var sum = 0.0;
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        let e = exp(x[i] - largest);
        x[i] = e;
        sum += e;
    }
    let scale = 1.0 / workgroup_sum(sum, local);
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        x[i] *= scale;
    }
}
