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
