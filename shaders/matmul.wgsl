// Matrix multiplication in the three layouts that training needs, all row-major. With x (rows, in), W (out, in):
//   matmul_nt   y      = x · Wᵀ           forward
//   matmul_nn   x_grad = y_grad · W       backward to the input
//   matmul_tn   W_grad = y_gradᵀ · x      backward to the weight
// In every layout the result is (m, n) and k is the length of the sums.

struct Params {
    m: u32,
    n: u32,
    k: u32,
    accumulate: u32, // 1 adds to what the result holds already
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>; // nt, nn: (m, k); tn: (k, m)
@group(0) @binding(2) var<storage, read> b: array<f32>; // nt: (n, k); nn, tn: (k, n)
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (m, n)

// y[i, j] = Σ_k a[i, k] · b[j, k]
@compute @workgroup_size(8, 8)
fn matmul_nt(@builtin(global_invocation_id) id: vec3<u32>) {
    let tile = id.yx * 4u;
    if (tile.x >= params.m || tile.y >= params.n) { return; }
    let row = tile_indices(tile.x, params.m) * params.k;
    let col = tile_indices(tile.y, params.n) * params.k;
    var y0 = vec4<f32>();
    var y1 = vec4<f32>();
    var y2 = vec4<f32>();
    var y3 = vec4<f32>();
    for (var k = 0u; k < params.k; k++) {
        let bk = vec4<f32>(b[col.x + k], b[col.y + k], b[col.z + k], b[col.w + k]);
        y0 += a[row.x + k] * bk;
        y1 += a[row.y + k] * bk;
        y2 += a[row.z + k] * bk;
        y3 += a[row.w + k] * bk;
    }
    store_tile(tile, y0, y1, y2, y3);
}

// y[i, j] = Σ_k a[i, k] · b[k, j]
@compute @workgroup_size(8, 8)
fn matmul_nn(@builtin(global_invocation_id) id: vec3<u32>) {
    let tile = id.yx * 4u;
    if (tile.x >= params.m || tile.y >= params.n) { return; }
    let row = tile_indices(tile.x, params.m) * params.k;
    var col = tile_indices(tile.y, params.n);
    var y0 = vec4<f32>();
    var y1 = vec4<f32>();
    var y2 = vec4<f32>();
    var y3 = vec4<f32>();
    for (var k = 0u; k < params.k; k++) {
        let bk = vec4<f32>(b[col.x], b[col.y], b[col.z], b[col.w]);
        y0 += a[row.x + k] * bk;
        y1 += a[row.y + k] * bk;
        y2 += a[row.z + k] * bk;
        y3 += a[row.w + k] * bk;
        col += vec4<u32>(params.n);
    }
    store_tile(tile, y0, y1, y2, y3);
}

// y[i, j] = Σ_k a[k, i] · b[k, j]
@compute @workgroup_size(8, 8)
fn matmul_tn(@builtin(global_invocation_id) id: vec3<u32>) {
    let tile = id.yx * 4u;
    if (tile.x >= params.m || tile.y >= params.n) { return; }
    var row = tile_indices(tile.x, params.m);
    var col = tile_indices(tile.y, params.n);
    var y0 = vec4<f32>();
    var y1 = vec4<f32>();
    var y2 = vec4<f32>();
    var y3 = vec4<f32>();
    for (var k = 0u; k < params.k; k++) {
        let bk = vec4<f32>(b[col.x], b[col.y], b[col.z], b[col.w]);
        y0 += a[row.x] * bk;
        y1 += a[row.y] * bk;
        y2 += a[row.z] * bk;
        y3 += a[row.w] * bk;
        row += vec4<u32>(params.m);
        col += vec4<u32>(params.n);
    }
    store_tile(tile, y0, y1, y2, y3);
}

fn store_tile(tile: vec2<u32>, y0: vec4<f32>, y1: vec4<f32>, y2: vec4<f32>, y3: vec4<f32>) {
    store_row(tile.x, tile.y, y0);
    store_row(tile.x + 1u, tile.y, y1);
    store_row(tile.x + 2u, tile.y, y2);
    store_row(tile.x + 3u, tile.y, y3);
}

fn store_row(i: u32, j: u32, values: vec4<f32>) {
    if (i >= params.m) { return; }
    store(i, j, values.x);
    store(i, j + 1u, values.y);
    store(i, j + 2u, values.z);
    store(i, j + 3u, values.w);
}

fn store(i: u32, j: u32, value: f32) {
    if (j >= params.n) { return; }
    let index = i * params.n + j;
    y[index] = select(value, y[index] + value, params.accumulate == 1u);
}
