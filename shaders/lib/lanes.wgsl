// Matmul tiles by the LANES invocations of a workgroup, all in one subgroup: the part that matmul_lanes.wgsl and
// matmul_four_lanes.wgsl share. The first functions broadcast the values of one lane each, four rows per call. A lane
// index has to be a literal, so each needs its own function.

// One row from each of lanes 0 … 3.
fn of_lanes_0_to_3(v: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(v, 0u), subgroupBroadcast(v, 1u), subgroupBroadcast(v, 2u), subgroupBroadcast(v, 3u));
}

// One row from each of lanes 4 … 7.
fn of_lanes_4_to_7(v: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(v, 4u), subgroupBroadcast(v, 5u), subgroupBroadcast(v, 6u), subgroupBroadcast(v, 7u));
}

fn of_lane_0(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 0u), subgroupBroadcast(a[1], 0u), subgroupBroadcast(a[2], 0u), subgroupBroadcast(a[3], 0u));
}

fn of_lane_1(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 1u), subgroupBroadcast(a[1], 1u), subgroupBroadcast(a[2], 1u), subgroupBroadcast(a[3], 1u));
}

fn of_lane_2(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 2u), subgroupBroadcast(a[1], 2u), subgroupBroadcast(a[2], 2u), subgroupBroadcast(a[3], 2u));
}

fn of_lane_3(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 3u), subgroupBroadcast(a[1], 3u), subgroupBroadcast(a[2], 3u), subgroupBroadcast(a[3], 3u));
}

fn of_lane_4(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 4u), subgroupBroadcast(a[1], 4u), subgroupBroadcast(a[2], 4u), subgroupBroadcast(a[3], 4u));
}

fn of_lane_5(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 5u), subgroupBroadcast(a[1], 5u), subgroupBroadcast(a[2], 5u), subgroupBroadcast(a[3], 5u));
}

fn of_lane_6(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 6u), subgroupBroadcast(a[1], 6u), subgroupBroadcast(a[2], 6u), subgroupBroadcast(a[3], 6u));
}

fn of_lane_7(a: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(subgroupBroadcast(a[0], 7u), subgroupBroadcast(a[1], 7u), subgroupBroadcast(a[2], 7u), subgroupBroadcast(a[3], 7u));
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

// Adds four terms to the sums of four rows of the tile: column i of `a` is row i of a for four k, column i of `b` and `c`
// is row k + i of b.
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
