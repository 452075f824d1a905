// Rows 4·k … 4·k + 3 of b at columns 4·col … 4·col + 3; those of (n, k) are transposed.
fn four_rows_of_b(order: u32, col: u32, k: u32, s: Shape) -> mat4x4<f32> {
    let width = select(s.n, s.k, order == NT) / 4u;
    let at = select(4u * k * width + col, 4u * col * width + k, order == NT);
    let four = mat4x4<f32>(
        load_b(order, at),
        load_b(order, at + width),
        load_b(order, at + 2u * width),
        load_b(order, at + 3u * width),
    );
    if (order == NT) { return transpose(four); }
    return four;
}
