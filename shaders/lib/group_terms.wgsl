// Functions shared by the kernels with blocks of a and b in workgroup memory.

// Adds four terms. The expression y + b · a would sum first and then add: five operations instead of four.
fn plus_terms(y: vec4<f32>, a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    let first = fma(b[1], vec4<f32>(a.y), fma(b[0], vec4<f32>(a.x), y));
    return fma(b[3], vec4<f32>(a.w), fma(b[2], vec4<f32>(a.z), first));
}

// Rows 4·row … 4·row + 3 of a at terms 4·k … 4·k + 3; those of (k, m) are transposed.
fn four_rows_of_a(order: u32, row: u32, k: u32, s: Shape) -> mat4x4<f32> {
    if (order == TN) {
        let width = s.m / 4u;
        let at = 4u * k * width + min(row, width - 1u);
        return transpose(mat4x4<f32>(
            load_a(order, at), load_a(order, at + width), load_a(order, at + 2u * width), load_a(order, at + 3u * width)));
    }
    let at = tile_indices(4u * row, s.m) * (s.k / 4u) + k;
    return mat4x4<f32>(load_a(order, at.x), load_a(order, at.y), load_a(order, at.z), load_a(order, at.w));
}
