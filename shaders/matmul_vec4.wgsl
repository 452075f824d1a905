// Matrix multiplication, as in matmul.wgsl, for sizes that are multiples of four: memory is read and written four numbers
// at a time, and an invocation computes 8 × 4 results in registers. No workgroup memory and no barriers.
//   matmul_nt_vec4   y = a · bᵀ   k and n are multiples of 4
//   matmul_nn_vec4   y = a · b    k and n are multiples of 4
//   matmul_tn_vec4   y = aᵀ · b   m and n are multiples of 4

struct Params {
    m: u32,
    n: u32,
    k: u32,
    accumulate: u32, // 1 adds to what the result holds already
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // nt, nn: (m, k); tn: (k, m)
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>; // nt: (n, k); nn, tn: (k, n)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // (m, n)

// One row of the tile gains four terms of its sums: Σ_i a[k + i] · (row k + i of b's tile).
fn terms(a: vec4<f32>, b0: vec4<f32>, b1: vec4<f32>, b2: vec4<f32>, b3: vec4<f32>) -> vec4<f32> {
    return a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3;
}

// y[i, j] = Σ_k a[i, k] · b[j, k]
@compute @workgroup_size(32)
fn matmul_nt_vec4(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let first = vec2<u32>(workgroup.y * 8u, id.x * 4u);
    if (first.x >= params.m || first.y >= params.n) { return; }
    let width = params.k / 4u;
    let low = tile_indices(first.x, params.m) * width;
    let high = tile_indices(first.x + 4u, params.m) * width;
    let col = tile_indices(first.y, params.n) * width;
    var y0 = vec4<f32>(); var y1 = vec4<f32>(); var y2 = vec4<f32>(); var y3 = vec4<f32>();
    var y4 = vec4<f32>(); var y5 = vec4<f32>(); var y6 = vec4<f32>(); var y7 = vec4<f32>();
    for (var k = 0u; k < width; k++) {
        // Four rows of b, turned so that they are four columns of bᵀ.
        let c = transpose(mat4x4<f32>(b[col.x + k], b[col.y + k], b[col.z + k], b[col.w + k]));
        y0 += terms(a[low.x + k], c[0], c[1], c[2], c[3]);
        y1 += terms(a[low.y + k], c[0], c[1], c[2], c[3]);
        y2 += terms(a[low.z + k], c[0], c[1], c[2], c[3]);
        y3 += terms(a[low.w + k], c[0], c[1], c[2], c[3]);
        y4 += terms(a[high.x + k], c[0], c[1], c[2], c[3]);
        y5 += terms(a[high.y + k], c[0], c[1], c[2], c[3]);
        y6 += terms(a[high.z + k], c[0], c[1], c[2], c[3]);
        y7 += terms(a[high.w + k], c[0], c[1], c[2], c[3]);
    }
    store_rows(first, y0, y1, y2, y3);
    store_rows(first + vec2<u32>(4u, 0u), y4, y5, y6, y7);
}

// y[i, j] = Σ_k a[i, k] · b[k, j]
@compute @workgroup_size(32)
fn matmul_nn_vec4(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let first = vec2<u32>(workgroup.y * 8u, id.x * 4u);
    if (first.x >= params.m || first.y >= params.n) { return; }
    let width = params.k / 4u;
    let low = tile_indices(first.x, params.m) * width;
    let high = tile_indices(first.x + 4u, params.m) * width;
    let b_width = params.n / 4u;
    var row = id.x;
    var y0 = vec4<f32>(); var y1 = vec4<f32>(); var y2 = vec4<f32>(); var y3 = vec4<f32>();
    var y4 = vec4<f32>(); var y5 = vec4<f32>(); var y6 = vec4<f32>(); var y7 = vec4<f32>();
    for (var k = 0u; k < width; k++) {
        let c0 = b[row];
        let c1 = b[row + b_width];
        let c2 = b[row + 2u * b_width];
        let c3 = b[row + 3u * b_width];
        y0 += terms(a[low.x + k], c0, c1, c2, c3);
        y1 += terms(a[low.y + k], c0, c1, c2, c3);
        y2 += terms(a[low.z + k], c0, c1, c2, c3);
        y3 += terms(a[low.w + k], c0, c1, c2, c3);
        y4 += terms(a[high.x + k], c0, c1, c2, c3);
        y5 += terms(a[high.y + k], c0, c1, c2, c3);
        y6 += terms(a[high.z + k], c0, c1, c2, c3);
        y7 += terms(a[high.w + k], c0, c1, c2, c3);
        row += 4u * b_width;
    }
    store_rows(first, y0, y1, y2, y3);
    store_rows(first + vec2<u32>(4u, 0u), y4, y5, y6, y7);
}

// y[i, j] = Σ_k a[k, i] · b[k, j]
@compute @workgroup_size(32)
fn matmul_tn_vec4(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let first = vec2<u32>(workgroup.y * 8u, id.x * 4u);
    if (first.x >= params.m || first.y >= params.n) { return; }
    let a_width = params.m / 4u;
    let b_width = params.n / 4u;
    var low = first.x / 4u;
    var high = min(low + 1u, a_width - 1u);
    var col = id.x;
    var y0 = vec4<f32>(); var y1 = vec4<f32>(); var y2 = vec4<f32>(); var y3 = vec4<f32>();
    var y4 = vec4<f32>(); var y5 = vec4<f32>(); var y6 = vec4<f32>(); var y7 = vec4<f32>();
    for (var k = 0u; k < params.k; k++) {
        let a_low = a[low];
        let a_high = a[high];
        let bk = b[col];
        y0 += a_low.x * bk;
        y1 += a_low.y * bk;
        y2 += a_low.z * bk;
        y3 += a_low.w * bk;
        y4 += a_high.x * bk;
        y5 += a_high.y * bk;
        y6 += a_high.z * bk;
        y7 += a_high.w * bk;
        low += a_width;
        high += a_width;
        col += b_width;
    }
    store_rows(first, y0, y1, y2, y3);
    store_rows(first + vec2<u32>(4u, 0u), y4, y5, y6, y7);
}

fn store_rows(first: vec2<u32>, y0: vec4<f32>, y1: vec4<f32>, y2: vec4<f32>, y3: vec4<f32>) {
    store_row(first.x, first.y, y0);
    store_row(first.x + 1u, first.y, y1);
    store_row(first.x + 2u, first.y, y2);
    store_row(first.x + 3u, first.y, y3);
}

fn store_row(i: u32, j: u32, values: vec4<f32>) {
    if (i >= params.m) { return; }
    let index = (i * params.n + j) / 4u;
    y[index] = select(values, y[index] + values, params.accumulate == 1u);
}
