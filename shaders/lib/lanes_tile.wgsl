// Eight invocations, one subgroup or a part of one, compute 32 × 64 results. Each loads different elements, once, and the
// others get them from its registers: on adapters that emulate a GPU on the CPU, loads cost far more than arithmetic. An
// invocation holds 32 rows × two vectors of four columns: `y0` to `y7` are four rows each, columns 4·lane …, `z0` to
// `z7` the same rows, columns 32 + 4·lane ….

const LANES = 8u;
const TILE_ROWS = 32u;
const TILE_FOURS = 16u; // columns of a tile in vectors of four

// Four rows of the tile gain four terms of their sums: column i of `a` is row i of a for four k, column i of `b` is
// row k + i of b.
fn add_terms(y: ptr<function, mat4x4<f32>>, a: mat4x4<f32>, b: mat4x4<f32>) {
    (*y)[0] += a[0].x * b[0] + a[0].y * b[1] + a[0].z * b[2] + a[0].w * b[3];
    (*y)[1] += a[1].x * b[0] + a[1].y * b[1] + a[1].z * b[2] + a[1].w * b[3];
    (*y)[2] += a[2].x * b[0] + a[2].y * b[1] + a[2].z * b[2] + a[2].w * b[3];
    (*y)[3] += a[3].x * b[0] + a[3].y * b[1] + a[3].z * b[2] + a[3].w * b[3];
}

// What lanes 0 … 3 hold, to all.
fn first_four(v: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(v, 0u), subgroupBroadcast(v, 1u), subgroupBroadcast(v, 2u), subgroupBroadcast(v, 3u));
}

// What lanes 4 … 7 hold, to all.
fn last_four(v: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(v, 4u), subgroupBroadcast(v, 5u), subgroupBroadcast(v, 6u), subgroupBroadcast(v, 7u));
}
