// Copies rows into a table, for example new keys and values into their cache.

struct Params {
    n_rows: u32,
    width: u32,
    stride: u32, // from one row of x to the next
    first_col: u32, // of x
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first_row: array<u32>; // (1)
@group(0) @binding(2) var<storage, read> x: array<f32>; // (n_rows, stride)
@group(0) @binding(3) var<storage, read_write> table: array<f32>; // (rows, width)

// table[first_row + r, c] = x[r, first_col + c]
@compute @workgroup_size(64)
fn write_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.n_rows * params.width) { return; }
    table[first_row[0] * params.width + i] = x[i / params.width * params.stride + params.first_col + i % params.width];
}
