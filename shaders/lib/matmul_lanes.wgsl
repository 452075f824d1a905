// Tiles of matrix products by eight invocations, one subgroup or a part of one: 32 × 64 results. Each loads different
// elements, once, and the others get them from its registers: on adapters that emulate a GPU on the CPU, loads cost far
// more than arithmetic. An invocation holds 32 rows × two vectors of four columns: `y0` to `y7` are four rows each, columns
// 4·lane …, `z0` to `z7` the same rows, columns 32 + 4·lane …. As matmul_vec4.wgsl, for m (TN), n and k that are multiples
// of 4.

const WORKGROUP = 8u;
const TILE_ROWS = 32u;
const LANES = 8u;

fn multiply(order: u32, tile: vec2<u32>, lane: u32, s: Shape) {
    let first = tile * vec2<u32>(TILE_ROWS, 2u * LANES) + vec2<u32>(0u, lane); // row, column in vectors of four
    let col = min(vec2<u32>(first.y, first.y + LANES), vec2<u32>(s.n / 4u - 1u));
    var y0 = mat4x4<f32>(); var y1 = mat4x4<f32>(); var y2 = mat4x4<f32>(); var y3 = mat4x4<f32>();
    var y4 = mat4x4<f32>(); var y5 = mat4x4<f32>(); var y6 = mat4x4<f32>(); var y7 = mat4x4<f32>();
    var z0 = mat4x4<f32>(); var z1 = mat4x4<f32>(); var z2 = mat4x4<f32>(); var z3 = mat4x4<f32>();
    var z4 = mat4x4<f32>(); var z5 = mat4x4<f32>(); var z6 = mat4x4<f32>(); var z7 = mat4x4<f32>();
    // Of a (m, k), a lane loads rows lane, lane + 8 …; of a (k, m), columns 4·lane ….
    let row = min(vec4<u32>(first.x + lane) + LANES * vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(s.m - 1u)) * (s.k / 4u);
    let a_col = min(first.x / 4u + lane, s.m / 4u - 1u);
    for (var k = 0u; k < s.k / 4u; k++) {
        let b = four_rows_of_b(order, col.x, k, s);
        let c = four_rows_of_b(order, col.y, k, s);
        if (order == TN) {
            let a = four_columns_of_a(order, a_col + k * s.m, s.m / 4u);
            add_terms(&y0, &z0, of_lane_0(a), b, c);
            add_terms(&y1, &z1, of_lane_1(a), b, c);
            add_terms(&y2, &z2, of_lane_2(a), b, c);
            add_terms(&y3, &z3, of_lane_3(a), b, c);
            add_terms(&y4, &z4, of_lane_4(a), b, c);
            add_terms(&y5, &z5, of_lane_5(a), b, c);
            add_terms(&y6, &z6, of_lane_6(a), b, c);
            add_terms(&y7, &z7, of_lane_7(a), b, c);
        } else {
            let a0 = load_a(order, row.x + k);
            add_terms(&y0, &z0, of_lanes_0_to_3(a0), b, c);
            add_terms(&y1, &z1, of_lanes_4_to_7(a0), b, c);
            let a1 = load_a(order, row.y + k);
            add_terms(&y2, &z2, of_lanes_0_to_3(a1), b, c);
            add_terms(&y3, &z3, of_lanes_4_to_7(a1), b, c);
            let a2 = load_a(order, row.z + k);
            add_terms(&y4, &z4, of_lanes_0_to_3(a2), b, c);
            add_terms(&y5, &z5, of_lanes_4_to_7(a2), b, c);
            let a3 = load_a(order, row.w + k);
            add_terms(&y6, &z6, of_lanes_0_to_3(a3), b, c);
            add_terms(&y7, &z7, of_lanes_4_to_7(a3), b, c);
        }
    }
    store_rows(order, first, s, y0, z0);
    store_rows(order, first + vec2<u32>(4u, 0u), s, y1, z1);
    store_rows(order, first + vec2<u32>(8u, 0u), s, y2, z2);
    store_rows(order, first + vec2<u32>(12u, 0u), s, y3, z3);
    store_rows(order, first + vec2<u32>(16u, 0u), s, y4, z4);
    store_rows(order, first + vec2<u32>(20u, 0u), s, y5, z5);
    store_rows(order, first + vec2<u32>(24u, 0u), s, y6, z6);
    store_rows(order, first + vec2<u32>(28u, 0u), s, y7, z7);
}

// Four columns of a (k, m) at four k, as rows of aᵀ.
fn four_columns_of_a(order: u32, at: u32, width: u32) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(
        load_a(order, at),
        load_a(order, at + width),
        load_a(order, at + 2u * width),
        load_a(order, at + 3u * width),
    ));
}

// Four rows of the tile gain four terms of their sums: column i of `a` is row i of a for four k, column i of `b` and `c` is
// row k + i of b.
fn add_terms(
    y: ptr<function, mat4x4<f32>>,
    z: ptr<function, mat4x4<f32>>,
    a: mat4x4<f32>,
    b: mat4x4<f32>,
    c: mat4x4<f32>,
) {
    (*y)[0] += a[0].x * b[0] + a[0].y * b[1] + a[0].z * b[2] + a[0].w * b[3];
    (*y)[1] += a[1].x * b[0] + a[1].y * b[1] + a[1].z * b[2] + a[1].w * b[3];
    (*y)[2] += a[2].x * b[0] + a[2].y * b[1] + a[2].z * b[2] + a[2].w * b[3];
    (*y)[3] += a[3].x * b[0] + a[3].y * b[1] + a[3].z * b[2] + a[3].w * b[3];
    (*z)[0] += a[0].x * c[0] + a[0].y * c[1] + a[0].z * c[2] + a[0].w * c[3];
    (*z)[1] += a[1].x * c[0] + a[1].y * c[1] + a[1].z * c[2] + a[1].w * c[3];
    (*z)[2] += a[2].x * c[0] + a[2].y * c[1] + a[2].z * c[2] + a[2].w * c[3];
    (*z)[3] += a[3].x * c[0] + a[3].y * c[1] + a[3].z * c[2] + a[3].w * c[3];
}

fn store_rows(order: u32, first: vec2<u32>, s: Shape, y: mat4x4<f32>, z: mat4x4<f32>) {
    store_row(order, first, s, y[0], z[0]);
    store_row(order, first + vec2<u32>(1u, 0u), s, y[1], z[1]);
    store_row(order, first + vec2<u32>(2u, 0u), s, y[2], z[2]);
    store_row(order, first + vec2<u32>(3u, 0u), s, y[3], z[3]);
}

fn store_row(order: u32, first: vec2<u32>, s: Shape, y: vec4<f32>, z: vec4<f32>) {
    let at = first.x * (s.n / 4u) + first.y;
    if (first.x < s.m && first.y < s.n / 4u) { store(order, at, y); }
    if (first.x < s.m && first.y + LANES < s.n / 4u) { store(order, at + LANES, z); }
}
