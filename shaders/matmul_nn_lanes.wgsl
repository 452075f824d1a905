// y[i, j] = Σ_k a[i, k] · b[k, j]
@compute @workgroup_size(8)
fn matmul_nn_lanes(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = vec2<u32>(workgroup.y * TILE_ROWS, workgroup.x * TILE_FOURS + lane);
    let col = min(vec2<u32>(first.y, first.y + LANES), vec2<u32>(params.n / 4u - 1u));
    var y0 = mat4x4<f32>(); var y1 = mat4x4<f32>(); var y2 = mat4x4<f32>(); var y3 = mat4x4<f32>();
    var y4 = mat4x4<f32>(); var y5 = mat4x4<f32>(); var y6 = mat4x4<f32>(); var y7 = mat4x4<f32>();
    var z0 = mat4x4<f32>(); var z1 = mat4x4<f32>(); var z2 = mat4x4<f32>(); var z3 = mat4x4<f32>();
    var z4 = mat4x4<f32>(); var z5 = mat4x4<f32>(); var z6 = mat4x4<f32>(); var z7 = mat4x4<f32>();
    let width = params.k / 4u;
    let row = min(vec4<u32>(first.x + lane) + LANES * vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.m - 1u)) * width;
    for (var k = 0u; k < params.k / 4u; k++) {
        let b0 = load_b(k, col.x);
        let b1 = load_b(k, col.y);
        let a0 = a[row.x + k];
        let r0 = first_four(a0);
        add_terms(&y0, r0, b0);
        add_terms(&z0, r0, b1);
        let r1 = last_four(a0);
        add_terms(&y1, r1, b0);
        add_terms(&z1, r1, b1);
        let a1 = a[row.y + k];
        let r2 = first_four(a1);
        add_terms(&y2, r2, b0);
        add_terms(&z2, r2, b1);
        let r3 = last_four(a1);
        add_terms(&y3, r3, b0);
        add_terms(&z3, r3, b1);
        let a2 = a[row.z + k];
        let r4 = first_four(a2);
        add_terms(&y4, r4, b0);
        add_terms(&z4, r4, b1);
        let r5 = last_four(a2);
        add_terms(&y5, r5, b0);
        add_terms(&z5, r5, b1);
        let a3 = a[row.w + k];
        let r6 = first_four(a3);
        add_terms(&y6, r6, b0);
        add_terms(&z6, r6, b1);
        let r7 = last_four(a3);
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
