// Matmul tiles by four invocations of a subgroup: 16 × 32 results. As matmul_lanes.wgsl, half as large in each direction.
// An invocation holds 16 rows × two vectors of four columns: `y0` to `y3` are four rows each, columns 4·lane …, `z0` to
// `z3` the same rows, columns 16 + 4·lane ….

const WORKGROUP = 4u;
const TILE_ROWS = 16u;

fn multiply(order: u32, tile: vec2<u32>, lane: u32, s: Shape) {
    let first = tile * vec2<u32>(TILE_ROWS, 2u * LANES) + vec2<u32>(0u, lane); // row, column in vectors of four
    let col = min(vec2<u32>(first.y, first.y + LANES), vec2<u32>(s.n / 4u - 1u));
    var y0 = mat4x4<f32>(); var y1 = mat4x4<f32>(); var y2 = mat4x4<f32>(); var y3 = mat4x4<f32>();
    var z0 = mat4x4<f32>(); var z1 = mat4x4<f32>(); var z2 = mat4x4<f32>(); var z3 = mat4x4<f32>();
    // Of a (m, k), a lane loads rows lane, lane + 4 …; of a (k, m), columns 4·lane ….
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
        } else {
            add_terms(&y0, &z0, of_lanes_0_to_3(load_a(order, row.x + k)), b, c);
            add_terms(&y1, &z1, of_lanes_0_to_3(load_a(order, row.y + k)), b, c);
            add_terms(&y2, &z2, of_lanes_0_to_3(load_a(order, row.z + k)), b, c);
            add_terms(&y3, &z3, of_lanes_0_to_3(load_a(order, row.w + k)), b, c);
        }
    }
    // A loop, because SwiftShader takes long to compile many stores.
    for (var i = 0u; i < 4u; i++) {
        var y = y0;
        var z = z0;
        if (i == 1u) { y = y1; z = z1; }
        if (i == 2u) { y = y2; z = z2; }
        if (i == 3u) { y = y3; z = z3; }
        store_rows(order, first + vec2<u32>(4u * i, 0u), s, y, z);
    }
}
