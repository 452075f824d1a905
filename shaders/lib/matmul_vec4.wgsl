// Matmul tiles with vectors of four. An invocation computes 8 × 4 results in registers, a workgroup 8 × 128; no workgroup
// memory and no barriers. As matmul_scalar.wgsl, but `load_a`, `load_b` and `store` count vectors of four. n is a
// multiple of 4, and so is k (NT, NN) or m (TN).

const WORKGROUP = 32u;
const TILE_ROWS = 8u;

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let first = tile * vec2<u32>(TILE_ROWS, WORKGROUP) + vec2<u32>(0u, local); // row, column in vectors of four
    let width = s.n / 4u;
    if (first.x >= s.m || first.y >= width) { return; }
    var y = mat4x4<f32>(); // rows 0 to 3
    var z = mat4x4<f32>(); // rows 4 to 7
    if (order == TN) {
        let a_width = s.m / 4u;
        let low = first.x / 4u;
        let high = min(low + 1u, a_width - 1u);
        // Four terms per iteration: llvmpipe ends the loops of an invocation after 65,535 iterations in total.
        var k = 0u;
        for (; k + 4u <= s.k; k += 4u) {
            for (var i = 0u; i < 4u; i++) {
                let at = k + i;
                add_term(&y, &z, load_a(order, low + at * a_width), load_a(order, high + at * a_width), load_b(order, first.y + at * width));
            }
        }
        for (; k < s.k; k++) {
            add_term(&y, &z, load_a(order, low + k * a_width), load_a(order, high + k * a_width), load_b(order, first.y + k * width));
        }
    } else {
        let low = tile_indices(first.x, s.m) * (s.k / 4u);
        let high = tile_indices(first.x + 4u, s.m) * (s.k / 4u);
        for (var k = 0u; k < s.k / 4u; k++) {
            let b = four_rows_of_b(order, first.y, k, s);
            y[0] += terms(load_a(order, low.x + k), b);
            y[1] += terms(load_a(order, low.y + k), b);
            y[2] += terms(load_a(order, low.z + k), b);
            y[3] += terms(load_a(order, low.w + k), b);
            z[0] += terms(load_a(order, high.x + k), b);
            z[1] += terms(load_a(order, high.y + k), b);
            z[2] += terms(load_a(order, high.z + k), b);
            z[3] += terms(load_a(order, high.w + k), b);
        }
    }
    let at = first.x * width + first.y;
    store(order, at, y[0]);
    if (first.x + 1u < s.m) { store(order, at + width, y[1]); }
    if (first.x + 2u < s.m) { store(order, at + 2u * width, y[2]); }
    if (first.x + 3u < s.m) { store(order, at + 3u * width, y[3]); }
    if (first.x + 4u < s.m) { store(order, at + 4u * width, z[0]); }
    if (first.x + 5u < s.m) { store(order, at + 5u * width, z[1]); }
    if (first.x + 6u < s.m) { store(order, at + 6u * width, z[2]); }
    if (first.x + 7u < s.m) { store(order, at + 7u * width, z[3]); }
}

// Adds one term to each of the eight rows of the tile.
fn add_term(
    y: ptr<function, mat4x4<f32>>,
    z: ptr<function, mat4x4<f32>>,
    low: vec4<f32>,
    high: vec4<f32>,
    b: vec4<f32>,
) {
    (*y)[0] += low.x * b;
    (*y)[1] += low.y * b;
    (*y)[2] += low.z * b;
    (*y)[3] += low.w * b;
    (*z)[0] += high.x * b;
    (*z)[1] += high.y * b;
    (*z)[2] += high.z * b;
    (*z)[3] += high.w * b;
}

// Four terms of the sums of one row of the tile: Σ_i a[i] · (row i of b).
fn terms(a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    return a.x * b[0] + a.y * b[1] + a.z * b[2] + a.w * b[3];
}
