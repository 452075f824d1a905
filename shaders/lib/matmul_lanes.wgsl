// What the entry points matmul_{nt,nn,tn}_lanes share: matrix multiplication, as in matmul.wgsl, for adapters with subgroups of at least eight and sizes that are multiples of
// four; lib/lanes_tile.wgsl tells how a tile is computed.
//   matmul_nt_lanes   y = a · bᵀ   k and n are multiples of 4
//   matmul_nn_lanes   y = a · b    k and n are multiples of 4
//   matmul_tn_lanes   y = aᵀ · b   m, n and k are multiples of 4

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

// Four rows of b at four columns: from (k, n), and from (n, k).
fn load_b(k: u32, col: u32) -> mat4x4<f32> {
    let width = params.n / 4u;
    let at = 4u * k * width + col;
    return mat4x4<f32>(b[at], b[at + width], b[at + 2u * width], b[at + 3u * width]);
}
fn load_b_transposed(k: u32, col: u32) -> mat4x4<f32> {
    let width = params.k / 4u;
    let at = 4u * col * width + k;
    return transpose(mat4x4<f32>(b[at], b[at + width], b[at + 2u * width], b[at + 3u * width]));
}

fn store_rows(first: vec2<u32>, rows: mat4x4<f32>) {
    store_row(first.x, first.y, rows[0]);
    store_row(first.x + 1u, first.y, rows[1]);
    store_row(first.x + 2u, first.y, rows[2]);
    store_row(first.x + 3u, first.y, rows[3]);
}

fn store_row(i: u32, j: u32, values: vec4<f32>) {
    if (i >= params.m || j >= params.n / 4u) { return; }
    let index = i * (params.n / 4u) + j;
    if (params.accumulate == 1u) {
        y[index] += values;
    } else {
        y[index] = values;
    }
}
