// y[i, j] = Σ_k a[k, i] · b[k, j]
@compute @workgroup_size(8)
fn matmul_tn_lanes(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = vec2<u32>(workgroup.y * TILE_ROWS, workgroup.x * TILE_FOURS + lane);
    let col = min(vec2<u32>(first.y, first.y + LANES), vec2<u32>(params.n / 4u - 1u));
    var y0 = mat4x4<f32>(); var y1 = mat4x4<f32>(); var y2 = mat4x4<f32>(); var y3 = mat4x4<f32>();
    var y4 = mat4x4<f32>(); var y5 = mat4x4<f32>(); var y6 = mat4x4<f32>(); var y7 = mat4x4<f32>();
    var z0 = mat4x4<f32>(); var z1 = mat4x4<f32>(); var z2 = mat4x4<f32>(); var z3 = mat4x4<f32>();
    var z4 = mat4x4<f32>(); var z5 = mat4x4<f32>(); var z6 = mat4x4<f32>(); var z7 = mat4x4<f32>();
    let width = params.m / 4u;
    let row = min(first.x / 4u + lane, width - 1u);
    for (var k = 0u; k < params.k / 4u; k++) {
        let b0 = load_b(k, col.x);
        let b1 = load_b(k, col.y);
        let at = 4u * k * width + row;
        let a0 = a[at];
        let a1 = a[at + width];
        let a2 = a[at + 2u * width];
        let a3 = a[at + 3u * width];
        let r0 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 0u), subgroupBroadcast(a1, 0u), subgroupBroadcast(a2, 0u), subgroupBroadcast(a3, 0u)));
        add_terms(&y0, r0, b0);
        add_terms(&z0, r0, b1);
        let r1 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 1u), subgroupBroadcast(a1, 1u), subgroupBroadcast(a2, 1u), subgroupBroadcast(a3, 1u)));
        add_terms(&y1, r1, b0);
        add_terms(&z1, r1, b1);
        let r2 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 2u), subgroupBroadcast(a1, 2u), subgroupBroadcast(a2, 2u), subgroupBroadcast(a3, 2u)));
        add_terms(&y2, r2, b0);
        add_terms(&z2, r2, b1);
        let r3 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 3u), subgroupBroadcast(a1, 3u), subgroupBroadcast(a2, 3u), subgroupBroadcast(a3, 3u)));
        add_terms(&y3, r3, b0);
        add_terms(&z3, r3, b1);
        let r4 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 4u), subgroupBroadcast(a1, 4u), subgroupBroadcast(a2, 4u), subgroupBroadcast(a3, 4u)));
        add_terms(&y4, r4, b0);
        add_terms(&z4, r4, b1);
        let r5 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 5u), subgroupBroadcast(a1, 5u), subgroupBroadcast(a2, 5u), subgroupBroadcast(a3, 5u)));
        add_terms(&y5, r5, b0);
        add_terms(&z5, r5, b1);
        let r6 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 6u), subgroupBroadcast(a1, 6u), subgroupBroadcast(a2, 6u), subgroupBroadcast(a3, 6u)));
        add_terms(&y6, r6, b0);
        add_terms(&z6, r6, b1);
        let r7 = transpose(mat4x4<f32>(subgroupBroadcast(a0, 7u), subgroupBroadcast(a1, 7u), subgroupBroadcast(a2, 7u), subgroupBroadcast(a3, 7u)));
        add_terms(&y7, r7, b0);
        add_terms(&z7, r7, b1);
    }
    store_rows(first + vec2<u32>(0u, 0u), y0);
    store_rows(first + vec2<u32>(0u, LANES), z0);
    store_rows(first + vec2<u32>(4u, 0u), y1);
    store_rows(first + vec2<u32>(4u, LANES), z1);
    store_rows(first + vec2<u32>(8u, 0u), y2);
    store_rows(first + vec2<u32>(8u, LANES), z2);
    store_rows(first + vec2<u32>(12u, 0u), y3);
    store_rows(first + vec2<u32>(12u, LANES), z3);
    store_rows(first + vec2<u32>(16u, 0u), y4);
    store_rows(first + vec2<u32>(16u, LANES), z4);
    store_rows(first + vec2<u32>(20u, 0u), y5);
    store_rows(first + vec2<u32>(20u, LANES), z5);
    store_rows(first + vec2<u32>(24u, 0u), y6);
    store_rows(first + vec2<u32>(24u, LANES), z6);
    store_rows(first + vec2<u32>(28u, 0u), y7);
    store_rows(first + vec2<u32>(28u, LANES), z7);
}
