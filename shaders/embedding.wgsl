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
// One workgroup per row of the table. It looks through the ids a block at a time and notes the hits as bits; then every
// invocation sums its columns over the hits in ascending order, which makes runs repeatable.
@group(0) @binding(1) var<storage, read> out_grad: array<f32>; // (N, C)
@group(0) @binding(3) var<storage, read_write> table_grad: array<f32>; // (V, C)

const HIT_WORDS = 32u; // of 32 ids each
const BLOCK = HIT_WORDS * 32u;

var<workgroup> hits: array<atomic<u32>, HIT_WORDS>;

@compute @workgroup_size(64)
fn embedding_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let v = flat_workgroup(workgroup, workgroups);
    if (v >= params.vocab_size) { return; }
    let row = v * params.d_model;
    for (var first = 0u; first < params.n_tokens; first += BLOCK) {
        if (local < HIT_WORDS) { atomicStore(&hits[local], 0u); }
        workgroupBarrier();
        let end = min(first + BLOCK, params.n_tokens);
        for (var n = first + local; n < end; n += FLAT_WORKGROUP) {
            if (ids[n] == v) { atomicOr(&hits[(n - first) / 32u], 1u << (n % 32u)); }
        }
        workgroupBarrier();
        let keep = params.accumulate == 1u || first > 0u;
        for (var c = local; c < params.d_model; c += FLAT_WORKGROUP) {
            let sum = sum_of_hits(first, c);
            if (keep) {
                table_grad[row + c] += sum;
            } else {
                table_grad[row + c] = sum;
            }
        }
        workgroupBarrier(); // nobody clears the hits before everybody has read them
    }
}

// Column c of out_grad, summed over the block's hits.
fn sum_of_hits(first: u32, c: u32) -> f32 {
    var sum = 0.0;
    for (var word = 0u; word < HIT_WORDS; word++) {
        var bits = atomicLoad(&hits[word]);
        while (bits != 0u) {
            let n = first + word * 32u + countTrailingZeros(bits);
            sum += out_grad[n * params.d_model + c];
            bits &= bits - 1u;
        }
    }
    return sum;
}
