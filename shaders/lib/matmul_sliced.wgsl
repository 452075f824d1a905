// Matmul tiles for GPUs, for results of few tiles and long sums, such as the gradients of weights. A workgroup of 256 computes
// 32 × 32 results: four slices of 64 invocations add a quarter of the terms each, as in matmul_group_32.wgsl, and the slices'
// sums are added in a fixed order. A slice fetches 16 terms into registers while it multiplies the 16 before; its blocks in
// workgroup memory hold eight. For m (TN), n and k that are multiples of 4.

const WORKGROUP = 256u;
const TILE_ROWS = 32u;
const SLICES = 4u;
// In vectors of four: the lengths of a slice's blocks, and the distances between groups of four rows and of four terms, with
// which simultaneous accesses hit different banks.
const BLOCK_A = 104u; // rows · 3 + term / 4, and one more for every four rows
const GROUP_A = 13u;
const BLOCK_B = 72u; // terms · 8 + column / 4, and four more for every four terms
const GROUP_B = 36u;

var<workgroup> block_a: array<vec4<f32>, SLICES * BLOCK_A>;
var<workgroup> block_b: array<vec4<f32>, SLICES * BLOCK_B>;
var<workgroup> slice_sums: array<mat4x4<f32>, 64>;

fn multiply(order: u32, tile: vec2<u32>, local: u32, s: Shape) {
    let first = tile * vec2<u32>(TILE_ROWS, 8u); // row, column in vectors of four
    let slice = local / 64u;
    let i = local % 64u;
    let row = i / 8u;
    let col = i % 8u;
    // All slices take the same number of rounds, because barriers are for the whole workgroup.
    let rounds = (s.k / 4u + 4u * SLICES - 1u) / (4u * SLICES);
    let start = 4u * rounds * slice;
    let a = BLOCK_A * slice + 3u * row + row / 4u;
    let b = BLOCK_B * slice + col;
    var y = mat4x4<f32>();
    var next = fetch(order, first, i, start, s);
    for (var round = 0u; round < rounds; round++) {
        let four = next;
        if (round + 1u < rounds) { next = fetch(order, first, i, start + 4u * (round + 1u), s); }
        if (i < 32u) { put(order, slice, i, four); }
        workgroupBarrier();
        add_block_terms(&y, a, b);
        add_block_terms(&y, a + 1u, b + GROUP_B);
        workgroupBarrier();
        if (i >= 32u) { put(order, slice, i, four); }
        workgroupBarrier();
        add_block_terms(&y, a, b);
        add_block_terms(&y, a + 1u, b + GROUP_B);
        workgroupBarrier();
    }
    for (var other = 1u; other < SLICES; other++) {
        if (slice == other) { slice_sums[i] = y; }
        workgroupBarrier();
        if (slice == 0u) { y += slice_sums[i]; }
        workgroupBarrier();
    }
    if (slice > 0u) { return; }
    let mine = first + vec2<u32>(row, col);
    store_row(order, mine, s, y[0]);
    store_row(order, mine + vec2<u32>(8u, 0u), s, y[1]);
    store_row(order, mine + vec2<u32>(16u, 0u), s, y[2]);
    store_row(order, mine + vec2<u32>(24u, 0u), s, y[3]);
}

// Adds four terms of the blocks: those of the first row of a begin at `a`, those of b at `b`.
fn add_block_terms(y: ptr<function, mat4x4<f32>>, a: u32, b: u32) {
    let rows = mat4x4<f32>(block_b[b], block_b[b + 8u], block_b[b + 16u], block_b[b + 24u]);
    (*y)[0] = plus_terms((*y)[0], block_a[a], rows);
    (*y)[1] = plus_terms((*y)[1], block_a[a + 2u * GROUP_A], rows);
    (*y)[2] = plus_terms((*y)[2], block_a[a + 4u * GROUP_A], rows);
    (*y)[3] = plus_terms((*y)[3], block_a[a + 6u * GROUP_A], rows);
}

// Of 32 invocations, 16 fetch 4 × 4 elements of a each, 16 of b: of eight rows or columns in groups of four, and of two groups
// of four terms. Neighbors read consecutive memory.
fn group_of(order: u32, i: u32) -> vec2<u32> {
    let along_terms = vec2<u32>(i % 16u / 2u, i % 2u);
    let along_columns = vec2<u32>(i % 8u, i % 16u / 8u);
    return select(along_terms, along_columns, order == TN || (order == NN && i % 32u >= 16u));
}

fn fetch(order: u32, first: vec2<u32>, i: u32, k: u32, s: Shape) -> mat4x4<f32> {
    let at = group_of(order, i);
    let term = k + 2u * (i / 32u) + at.y;
    if (term >= s.k / 4u) { return mat4x4<f32>(); }
    if (i % 32u < 16u) { return four_rows_of_a(order, first.x / 4u + at.x, term, s); }
    return four_rows_of_b(order, min(first.y + at.x, s.n / 4u - 1u), term, s);
}

fn put(order: u32, slice: u32, i: u32, four: mat4x4<f32>) {
    let at = group_of(order, i);
    if (i % 32u < 16u) {
        let to = BLOCK_A * slice + GROUP_A * at.x + at.y;
        block_a[to] = four[0];
        block_a[to + 3u] = four[1];
        block_a[to + 6u] = four[2];
        block_a[to + 9u] = four[3];
    } else {
        let to = BLOCK_B * slice + GROUP_B * at.y + at.x;
        block_b[to] = four[0];
        block_b[to + 8u] = four[1];
        block_b[to + 16u] = four[2];
        block_b[to + 24u] = four[3];
    }
}

fn store_row(order: u32, at: vec2<u32>, s: Shape, row: vec4<f32>) {
    if (at.x < s.m && at.y < s.n / 4u) { store(order, at.x * (s.n / 4u) + at.y, row); }
}
