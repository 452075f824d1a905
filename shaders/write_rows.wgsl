// Copies rows of several sequences into their tables, for example new keys and values into the cache.

struct Params {
    n_rows: u32, // rows of all sequences
    rows_per_sequence: u32, // W: rows per sequence
    table_rows: u32, // T: rows of a table
    width: u32,
    stride: u32, // distance between two rows of x
    first_col: u32, // first column of x to copy
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first_row: array<u32>; // (B)
@group(0) @binding(2) var<storage, read> x: array<f32>; // (B, W, stride)
@group(0) @binding(3) var<storage, read_write> table: array<f32>; // (B, T, width)

// table[b, first_row[b] + r, c] = x[b, r, first_col + c]
@compute @workgroup_size(64)
fn write_rows(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.n_rows * params.width) { return; }
    let row = i / params.width;
    let column = i % params.width;
    let sequence = row / params.rows_per_sequence;
    let to = sequence * params.table_rows + first_row[sequence] + row % params.rows_per_sequence;
    table[to * params.width + column] = x[row * params.stride + params.first_col + column];
}
