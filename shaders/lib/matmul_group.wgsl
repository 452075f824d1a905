// Matmul tiles for GPUs. A workgroup of 64 computes 64 × 64 results: it loads a block of a and one of b, sixteen terms of
// the sums, into workgroup memory, from which every invocation computes 8 × 8 results in registers: rows row + 8·i,
// columns 4·col … and 32 + 4·col …. As matmul_vec4.wgsl, for m (TN), n and k that are multiples of 4.

const WORKGROUP = 64u;
const TILE_ROWS = 64u;
const TERMS = 4u; // per block, in vectors of four
const STRIDE = 5u; // distance between rows of block_a in vectors of four: one more than their length, against bank conflicts

var<workgroup> block_a: array<vec4<f32>, TILE_ROWS * STRIDE>; // 64 rows, terms in vectors of four
const GROUP_B = 66u; // distance between groups of four terms of block_b: two more than their length, for the same reason
var<workgroup> block_b: array<vec4<f32>, TERMS * GROUP_B>; // 16 terms, columns in vectors of four

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let first = tile * vec2<u32>(TILE_ROWS, 16u); // row, column in vectors of four
    let row = local / 8u;
    let col = local % 8u;
    var y0 = vec4<f32>(); var y1 = vec4<f32>(); var y2 = vec4<f32>(); var y3 = vec4<f32>();
    var y4 = vec4<f32>(); var y5 = vec4<f32>(); var y6 = vec4<f32>(); var y7 = vec4<f32>();
    var z0 = vec4<f32>(); var z1 = vec4<f32>(); var z2 = vec4<f32>(); var z3 = vec4<f32>();
    var z4 = vec4<f32>(); var z5 = vec4<f32>(); var z6 = vec4<f32>(); var z7 = vec4<f32>();
    for (var k = 0u; k < s.k / 4u; k += TERMS) {
        load_blocks(order, first, local, k, s);
        workgroupBarrier();
        for (var t = 0u; t < TERMS; t++) {
            let at = GROUP_B * t + col;
            let b = mat4x4<f32>(block_b[at], block_b[at + 16u], block_b[at + 32u], block_b[at + 48u]);
            let c = mat4x4<f32>(block_b[at + 8u], block_b[at + 24u], block_b[at + 40u], block_b[at + 56u]);
            let a = row * STRIDE + t;
            let a0 = block_a[a]; y0 = plus_terms(y0, a0, b); z0 = plus_terms(z0, a0, c);
            let a1 = block_a[a + 8u * STRIDE]; y1 = plus_terms(y1, a1, b); z1 = plus_terms(z1, a1, c);
            let a2 = block_a[a + 16u * STRIDE]; y2 = plus_terms(y2, a2, b); z2 = plus_terms(z2, a2, c);
            let a3 = block_a[a + 24u * STRIDE]; y3 = plus_terms(y3, a3, b); z3 = plus_terms(z3, a3, c);
            let a4 = block_a[a + 32u * STRIDE]; y4 = plus_terms(y4, a4, b); z4 = plus_terms(z4, a4, c);
            let a5 = block_a[a + 40u * STRIDE]; y5 = plus_terms(y5, a5, b); z5 = plus_terms(z5, a5, c);
            let a6 = block_a[a + 48u * STRIDE]; y6 = plus_terms(y6, a6, b); z6 = plus_terms(z6, a6, c);
            let a7 = block_a[a + 56u * STRIDE]; y7 = plus_terms(y7, a7, b); z7 = plus_terms(z7, a7, c);
        }
        workgroupBarrier();
    }
    let mine = first + vec2<u32>(row, col);
    store_halves(order, mine, s, y0, z0);
    store_halves(order, mine + vec2<u32>(8u, 0u), s, y1, z1);
    store_halves(order, mine + vec2<u32>(16u, 0u), s, y2, z2);
    store_halves(order, mine + vec2<u32>(24u, 0u), s, y3, z3);
    store_halves(order, mine + vec2<u32>(32u, 0u), s, y4, z4);
    store_halves(order, mine + vec2<u32>(40u, 0u), s, y5, z5);
    store_halves(order, mine + vec2<u32>(48u, 0u), s, y6, z6);
    store_halves(order, mine + vec2<u32>(56u, 0u), s, y7, z7);
}

// Each invocation loads 4 × 4 elements of either block. Neighbors read consecutive memory: along the terms of (m, k) and
// (n, k), along the columns of (k, m) and (k, n). Elements past the last term become 0; results past the last row or
// column are never stored.
fn load_blocks(order: u32, first: vec2<u32>, local: u32, k: u32, s: Shape) {
    let along_terms = vec2<u32>(local / 4u, local % 4u);
    let along_columns = vec2<u32>(local % 16u, local / 16u);
    let at_a = select(along_terms, along_columns, order == TN); // groups of four: rows, terms
    let at_b = select(along_columns, along_terms, order == NT); // groups of four: columns, terms
    var a = mat4x4<f32>();
    if (k + at_a.y < s.k / 4u) { a = four_rows_of_a(order, first.x / 4u + at_a.x, k + at_a.y, s); }
    let a_to = 4u * at_a.x * STRIDE + at_a.y;
    block_a[a_to] = a[0];
    block_a[a_to + STRIDE] = a[1];
    block_a[a_to + 2u * STRIDE] = a[2];
    block_a[a_to + 3u * STRIDE] = a[3];
    var b = mat4x4<f32>();
    if (k + at_b.y < s.k / 4u) { b = four_rows_of_b(order, min(first.y + at_b.x, s.n / 4u - 1u), k + at_b.y, s); }
    let b_to = GROUP_B * at_b.y + at_b.x;
    block_b[b_to] = b[0];
    block_b[b_to + 16u] = b[1];
    block_b[b_to + 32u] = b[2];
    block_b[b_to + 48u] = b[3];
}

fn store_halves(order: u32, at: vec2<u32>, s: Shape, y: vec4<f32>, z: vec4<f32>) {
    let width = s.n / 4u;
    if (at.x < s.m && at.y < width) { store(order, at.x * width + at.y, y); }
    if (at.x < s.m && at.y + 8u < width) { store(order, at.x * width + at.y + 8u, z); }
}
