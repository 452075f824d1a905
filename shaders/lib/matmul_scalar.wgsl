// Tiles of matrix products, number by number, for sizes of any kind. An invocation computes 4 × 4 results in registers, a
// workgroup 32 × 32. What is multiplied is up to the file that follows: its `load_a`, `load_b` and `store` count elements.

const WORKGROUP = 64u;
const TILE_ROWS = 32u;

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let first = tile * TILE_ROWS + vec2<u32>(local / 8u, local % 8u) * 4u; // row, column
    if (first.x >= s.m || first.y >= s.n) { return; }
    // Where the tile's rows of a and columns of b begin, and how far the next term of a sum is.
    var row = tile_indices(first.x, s.m) * select(s.k, 1u, order == TN);
    var col = tile_indices(first.y, s.n) * select(1u, s.k, order == NT);
    let a_step = select(1u, s.m, order == TN);
    let b_step = select(s.n, 1u, order == NT);
    var y0 = vec4<f32>(); var y1 = vec4<f32>(); var y2 = vec4<f32>(); var y3 = vec4<f32>();
    for (var k = 0u; k < s.k; k++) {
        let b = vec4<f32>(load_b(order, col.x), load_b(order, col.y), load_b(order, col.z), load_b(order, col.w));
        y0 += load_a(order, row.x) * b;
        y1 += load_a(order, row.y) * b;
        y2 += load_a(order, row.z) * b;
        y3 += load_a(order, row.w) * b;
        row += vec4<u32>(a_step);
        col += vec4<u32>(b_step);
    }
    store_row(order, first, s, y0);
    store_row(order, first + vec2<u32>(1u, 0u), s, y1);
    store_row(order, first + vec2<u32>(2u, 0u), s, y2);
    store_row(order, first + vec2<u32>(3u, 0u), s, y3);
}

fn store_row(order: u32, first: vec2<u32>, s: Shape, row: vec4<f32>) {
    if (first.x >= s.m) { return; }
    let at = first.x * s.n + first.y;
    store(order, at, row.x);
    if (first.y + 1u < s.n) { store(order, at + 1u, row.y); }
    if (first.y + 2u < s.n) { store(order, at + 2u, row.z); }
    if (first.y + 3u < s.n) { store(order, at + 3u, row.w); }
}
