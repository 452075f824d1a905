// Matmul tiles, element by element, for arbitrary sizes. An invocation computes 4 × 4 results in registers, a workgroup
// 32 × 32. The operands are defined by the file that follows: its `load_a`, `load_b` and `store` count elements.

const WORKGROUP = 64u;
const TILE_ROWS = 32u;

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let first = tile * TILE_ROWS + vec2<u32>(local / 8u, local % 8u) * 4u; // row, column
    if (first.x >= s.m || first.y >= s.n) { return; }
    // Offsets of the tile's rows of a and columns of b, and the distance to the next term of a sum.
    let row = tile_indices(first.x, s.m) * select(s.k, 1u, order == TN);
    let col = tile_indices(first.y, s.n) * select(1u, s.k, order == NT);
    let step = vec2<u32>(select(1u, s.m, order == TN), select(s.n, 1u, order == NT));
    var y = mat4x4<f32>();
    // Four terms per iteration: llvmpipe ends the loops of an invocation after 65,535 iterations in total.
    var k = 0u;
    for (; k + 4u <= s.k; k += 4u) {
        for (var i = 0u; i < 4u; i++) { add_term(order, row, col, step * (k + i), &y); }
    }
    for (; k < s.k; k++) { add_term(order, row, col, step * k, &y); }
    store_row(order, first, s, y[0]);
    store_row(order, first + vec2<u32>(1u, 0u), s, y[1]);
    store_row(order, first + vec2<u32>(2u, 0u), s, y[2]);
    store_row(order, first + vec2<u32>(3u, 0u), s, y[3]);
}

// Adds the term that is `at` elements after the first ones of a's rows and b's columns to the tile.
fn add_term(order: u32, row: vec4<u32>, col: vec4<u32>, at: vec2<u32>, y: ptr<function, mat4x4<f32>>) {
    let a = row + vec4<u32>(at.x);
    let c = col + vec4<u32>(at.y);
    let b = vec4<f32>(load_b(order, c.x), load_b(order, c.y), load_b(order, c.z), load_b(order, c.w));
    (*y)[0] += load_a(order, a.x) * b;
    (*y)[1] += load_a(order, a.y) * b;
    (*y)[2] += load_a(order, a.z) * b;
    (*y)[3] += load_a(order, a.w) * b;
}

fn store_row(order: u32, first: vec2<u32>, s: Shape, row: vec4<f32>) {
    if (first.x >= s.m) { return; }
    let at = first.x * s.n + first.y;
    store(order, at, row.x);
    if (first.y + 1u < s.n) { store(order, at + 1u, row.y); }
    if (first.y + 2u < s.n) { store(order, at + 2u, row.z); }
    if (first.y + 3u < s.n) { store(order, at + 3u, row.w); }
}
