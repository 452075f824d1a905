// Matmul tiles for GPUs with few registers, and for results of few tiles. A workgroup of 64 computes 32 × 32 results from
// blocks of 16 terms in workgroup memory; every invocation computes 4 × 4 of them in registers: rows row + 8·i, columns
// 4·col …. As matmul_group.wgsl, for m (TN), n and k that are multiples of 4.

const WORKGROUP = 64u;
const TILE_ROWS = 32u;
const TERMS = 4u; // per block, in vectors of four
// In vectors of four: distances between the rows of a's block and between groups of four terms of b's. They are longer than
// the data, so that simultaneous accesses hit different banks.
const STRIDE_A = 5u;
const GROUP_B = 34u;

var<workgroup> block_a: array<vec4<f32>, TILE_ROWS * STRIDE_A>; // 32 rows, terms in vectors of four
var<workgroup> block_b: array<vec4<f32>, TERMS * GROUP_B>; // 16 terms, columns in vectors of four

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let first = tile * vec2<u32>(TILE_ROWS, 8u); // row, column in vectors of four
    let row = local / 8u;
    let col = local % 8u;
    var y = mat4x4<f32>();
    var next = fetch(order, first, local, 0u, s);
    for (var k = 0u; k < s.k / 4u; k += TERMS) {
        put(order, local, next);
        workgroupBarrier();
        // Arrives while this block is multiplied.
        next = fetch(order, first, local, k + TERMS, s);
        add_block_terms(&y, row * STRIDE_A, col);
        add_block_terms(&y, row * STRIDE_A + 1u, col + GROUP_B);
        add_block_terms(&y, row * STRIDE_A + 2u, col + 2u * GROUP_B);
        add_block_terms(&y, row * STRIDE_A + 3u, col + 3u * GROUP_B);
        workgroupBarrier();
    }
    let mine = first + vec2<u32>(row, col);
    store_row(order, mine, s, y[0]);
    store_row(order, mine + vec2<u32>(8u, 0u), s, y[1]);
    store_row(order, mine + vec2<u32>(16u, 0u), s, y[2]);
    store_row(order, mine + vec2<u32>(24u, 0u), s, y[3]);
}

// Adds four terms of the block: those of the first row of a begin at `a`, those of b at `b`.
fn add_block_terms(y: ptr<function, mat4x4<f32>>, a: u32, b: u32) {
    let rows = mat4x4<f32>(block_b[b], block_b[b + 8u], block_b[b + 16u], block_b[b + 24u]);
    (*y)[0] = plus_terms((*y)[0], block_a[a], rows);
    (*y)[1] = plus_terms((*y)[1], block_a[a + 8u * STRIDE_A], rows);
    (*y)[2] = plus_terms((*y)[2], block_a[a + 16u * STRIDE_A], rows);
    (*y)[3] = plus_terms((*y)[3], block_a[a + 24u * STRIDE_A], rows);
}

// The first 32 invocations fetch 4 × 4 elements of a's block each, the others of b's: groups of four rows or columns, and of four
// terms. Neighbors read consecutive memory: along the terms of (m, k) and (n, k), along the columns of (k, m) and (k, n).
fn group_of(order: u32, local: u32) -> vec2<u32> {
    let i = local % 32u;
    return select(vec2<u32>(i / 4u, i % 4u), vec2<u32>(i % 8u, i / 8u), order == TN || (order == NN && local >= 32u));
}

// Elements past the last term are 0; results past the last row or column are never stored.
fn fetch(order: u32, first: vec2<u32>, local: u32, k: u32, s: Shape) -> mat4x4<f32> {
    let at = group_of(order, local);
    if (k + at.y >= s.k / 4u) { return mat4x4<f32>(); }
    if (local < 32u) { return four_rows_of_a(order, first.x / 4u + at.x, k + at.y, s); }
    return four_rows_of_b(order, min(first.y + at.x, s.n / 4u - 1u), k + at.y, s);
}

fn put(order: u32, local: u32, four: mat4x4<f32>) {
    let at = group_of(order, local);
    if (local < 32u) {
        let to = 4u * at.x * STRIDE_A + at.y;
        block_a[to] = four[0];
        block_a[to + STRIDE_A] = four[1];
        block_a[to + 2u * STRIDE_A] = four[2];
        block_a[to + 3u * STRIDE_A] = four[3];
    } else {
        let to = GROUP_B * at.y + at.x;
        block_b[to] = four[0];
        block_b[to + 8u] = four[1];
        block_b[to + 16u] = four[2];
        block_b[to + 24u] = four[3];
    }
}

fn store_row(order: u32, at: vec2<u32>, s: Shape, row: vec4<f32>) {
    if (at.x < s.m && at.y < s.n / 4u) { store(order, at.x * (s.n / 4u) + at.y, row); }
}
