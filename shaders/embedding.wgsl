// Token embedding: each token id picks a row of the table.

struct Params {
    n_tokens: u32,
    vocab_size: u32,
    d_model: u32,
    accumulate: u32, // embedding_grad: 1 adds to the values of table_grad
    first_id: u32, // token id of the first of the V rows of the table that are bound
}

@group(0) @binding(0) var<uniform> params: Params;

// out[n, c] = table[ids[n] − first_id, c], for the tokens whose rows are bound
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
    let v = ids[n] - params.first_id;
    if (v < params.vocab_size) { out[i] = table[v * params.d_model + c]; }
}

// out[n, c] = table[ids[n], c], so table_grad[v, c] sums out_grad[n, c] over the n with ids[n] = v.
// One workgroup per row of the table and per 256 columns, four per invocation. It scans the ids block by block and marks
// the hits as bits; then every invocation adds its columns over the hits in ascending order, which makes runs repeatable.
@group(0) @binding(1) var<storage, read> out_grad: array<f32>; // (N, C)
@group(0) @binding(3) var<storage, read_write> table_grad: array<f32>; // (V, C)

const HIT_WORDS = 32u; // of 32 ids each
const BLOCK = HIT_WORDS * 32u;

var<workgroup> hits: array<atomic<u32>, HIT_WORDS>;
var<workgroup> any_hit: atomic<u32>;

@compute @workgroup_size(64)
fn embedding_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let v = flat_workgroup(workgroup, workgroups);
    if (v >= params.vocab_size) { return; }
    let col = workgroup.z * 4u * FLAT_WORKGROUP + local;
    var sums = vec4<f32>();
    var found = false;
    for (var first = 0u; first < params.n_tokens; first += BLOCK) {
        if (local < HIT_WORDS) { atomicStore(&hits[local], 0u); }
        if (local == 0u) { atomicStore(&any_hit, 0u); }
        workgroupBarrier();
        let end = min(first + BLOCK, params.n_tokens);
        for (var n = first + local; n < end; n += FLAT_WORKGROUP) {
            if (ids[n] - params.first_id == v) {
                atomicOr(&hits[(n - first) / 32u], 1u << (n % 32u));
                atomicStore(&any_hit, 1u);
            }
        }
        workgroupBarrier();
        if (atomicLoad(&any_hit) == 1u) {
            sums = add_hits(sums, first, col);
            found = true;
        }
        workgroupBarrier(); // all invocations have read the hits before they are cleared
    }
    if (found || params.accumulate == 0u) {
        store_sum(v, col, sums.x);
        store_sum(v, col + FLAT_WORKGROUP, sums.y);
        store_sum(v, col + 2u * FLAT_WORKGROUP, sums.z);
        store_sum(v, col + 3u * FLAT_WORKGROUP, sums.w);
    }
}

// Adds four columns of out_grad over the hits of a block to `sums`.
fn add_hits(sums: vec4<f32>, first: u32, col: u32) -> vec4<f32> {
    // Columns past the last one repeat it and are not stored.
    let columns = min(vec4<u32>(col) + vec4<u32>(0u, 1u, 2u, 3u) * FLAT_WORKGROUP, vec4<u32>(params.d_model - 1u));
    var total = sums;
    for (var word = 0u; word < HIT_WORDS; word++) {
        var bits = atomicLoad(&hits[word]);
        while (bits != 0u) {
            let at = (first + word * 32u + countTrailingZeros(bits)) * params.d_model + columns;
            total += vec4<f32>(out_grad[at.x], out_grad[at.y], out_grad[at.z], out_grad[at.w]);
            bits &= bits - 1u;
        }
    }
    return total;
}

fn store_sum(v: u32, c: u32, sum: f32) {
    if (c >= params.d_model) { return; }
    let at = v * params.d_model + c;
    if (params.accumulate == 1u) {
        table_grad[at] += sum;
    } else {
        table_grad[at] = sum;
    }
}
