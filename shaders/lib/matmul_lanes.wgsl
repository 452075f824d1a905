// Matmul tiles by eight invocations in one subgroup: 32 × 64 results. Each element is loaded once, by one of them, and
// the others read it from that invocation's registers: on adapters that emulate a GPU on the CPU, loads cost far more
// than arithmetic. An invocation holds 32 rows × two vectors of four columns: `y0` to `y7` are four rows each, columns
// 4·lane …, `z0` to `z7` the same rows, columns 32 + 4·lane …. As matmul_vec4.wgsl, for m (TN), n and k that are
// multiples of 4.

const WORKGROUP = 8u;
const TILE_ROWS = 32u;

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
