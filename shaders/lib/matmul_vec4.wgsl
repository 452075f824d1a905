// Tiles of matrix products, four numbers at a time. An invocation computes 8 × 4 results in registers, a workgroup 8 × 128;
// no workgroup memory and no barriers. As matmul_scalar.wgsl, but `load_a`, `load_b` and `store` count vectors of four.
// n is a multiple of 4, and so is k (NT, NN) or m (TN).

const WORKGROUP = 32u;
const TILE_ROWS = 8u;

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let first = tile * vec2<u32>(TILE_ROWS, WORKGROUP) + vec2<u32>(0u, local); // row, column in vectors of four
    let width = s.n / 4u;
    if (first.x >= s.m || first.y >= width) { return; }
    var y0 = vec4<f32>(); var y1 = vec4<f32>(); var y2 = vec4<f32>(); var y3 = vec4<f32>();
    var y4 = vec4<f32>(); var y5 = vec4<f32>(); var y6 = vec4<f32>(); var y7 = vec4<f32>();
    if (order == TN) {
        let a_width = s.m / 4u;
        var low = first.x / 4u;
        var high = min(low + 1u, a_width - 1u);
        var col = first.y;
        for (var k = 0u; k < s.k; k++) {
            let a_low = load_a(order, low);
            let a_high = load_a(order, high);
            let b = load_b(order, col);
            y0 += a_low.x * b;
            y1 += a_low.y * b;
            y2 += a_low.z * b;
            y3 += a_low.w * b;
            y4 += a_high.x * b;
            y5 += a_high.y * b;
            y6 += a_high.z * b;
            y7 += a_high.w * b;
            low += a_width;
            high += a_width;
            col += width;
        }
    } else {
        let low = tile_indices(first.x, s.m) * (s.k / 4u);
        let high = tile_indices(first.x + 4u, s.m) * (s.k / 4u);
        for (var k = 0u; k < s.k / 4u; k++) {
            let b = four_rows_of_b(order, first.y, k, s);
            y0 += terms(load_a(order, low.x + k), b);
            y1 += terms(load_a(order, low.y + k), b);
            y2 += terms(load_a(order, low.z + k), b);
            y3 += terms(load_a(order, low.w + k), b);
            y4 += terms(load_a(order, high.x + k), b);
            y5 += terms(load_a(order, high.y + k), b);
            y6 += terms(load_a(order, high.z + k), b);
            y7 += terms(load_a(order, high.w + k), b);
        }
    }
    let at = first.x * width + first.y;
    store(order, at, y0);
    if (first.x + 1u < s.m) { store(order, at + width, y1); }
    if (first.x + 2u < s.m) { store(order, at + 2u * width, y2); }
    if (first.x + 3u < s.m) { store(order, at + 3u * width, y3); }
    if (first.x + 4u < s.m) { store(order, at + 4u * width, y4); }
    if (first.x + 5u < s.m) { store(order, at + 5u * width, y5); }
    if (first.x + 6u < s.m) { store(order, at + 6u * width, y6); }
    if (first.x + 7u < s.m) { store(order, at + 7u * width, y7); }
}

// One row of the tile gains four terms of its sums: Σ_i a[i] · (row i of b).
fn terms(a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    return a.x * b[0] + a.y * b[1] + a.z * b[2] + a.w * b[3];
}
