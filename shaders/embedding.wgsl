// Token embedding: each token id picks a row of the table.

struct Params {
    n_tokens: u32,
    vocab_size: u32,
    d_model: u32,
    accumulate: u32, // embedding_grad: 1 adds to what table_grad holds already
}

@group(0) @binding(0) var<uniform> params: Params;

// out[n, c] = table[ids[n], c]
@group(0) @binding(1) var<storage, read> table: array<f32>; // (V, C)
@group(0) @binding(2) var<storage, read> ids: array<u32>; // (N)
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // (N, C)

@compute @workgroup_size(64)
fn embedding(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.n_tokens * params.d_model) { return; }
    let n = i / params.d_model;
    let c = i % params.d_model;
    out[i] = table[ids[n] * params.d_model + c];
}

// out[n, c] = table[ids[n], c], so table_grad[v, c] sums out_grad[n, c] over the n with ids[n] = v.
// One invocation per element of the table looks through all ids: without atomic floats this is the way to sum in a
// fixed order, which makes runs repeatable.
@group(0) @binding(1) var<storage, read> out_grad: array<f32>; // (N, C)
@group(0) @binding(3) var<storage, read_write> table_grad: array<f32>; // (V, C)

@compute @workgroup_size(64)
fn embedding_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.vocab_size * params.d_model) { return; }
    let v = i / params.d_model;
    let c = i % params.d_model;
    var sum = 0.0;
    for (var n = 0u; n < params.n_tokens; n++) {
        if (ids[n] == v) {
            sum += out_grad[n * params.d_model + c];
        }
    }
    table_grad[i] = select(sum, table_grad[i] + sum, params.accumulate == 1u);
}
