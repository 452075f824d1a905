// RMSNorm and the linear layer that reads its output, in one dispatch: y = norm(x) · Wᵀ, with queries and keys rotated if
// lib/rotation.wgsl precedes this file. Every workgroup sums the squares of its rows; those with the first columns also store
// the norm's output and 1 / rms, which the backward pass reads. The tile computation is defined by the preceding file, of 64
// invocations. m is a multiple of TILE_ROWS, n and k are multiples of 4.

struct Params {
    m: u32, // N
    n: u32, // width of y
    k: u32, // C
    eps: f32,
    rotated: u32, // number of columns of y to rotate, from the first on
    context_length: u32, // T; the position of a row is row mod T
    d_head: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored1>; // (N, C)
@group(0) @binding(2) var<storage, read> w: array<Stored>; // (out, C)
@group(0) @binding(3) var<storage, read> gain: array<vec4<f32>>; // (C)
@group(0) @binding(4) var<storage, read_write> y: array<Stored4>; // (N, out)
@group(0) @binding(5) var<storage, read_write> values: array<vec4<Number5>>; // (N, C), norm(x)
@group(0) @binding(6) var<storage, read_write> inv_rms_out: array<f32>; // (N)

var<workgroup> squares: array<f32, 8u * TILE_ROWS>; // eight partial sums per row
var<workgroup> inv_rms: array<f32, TILE_ROWS>;
var<private> first_row: u32;
var<private> has_first_columns: bool;

// inv_rms = 1 / √(mean(x²) + eps) of the workgroup's rows
fn measure_rows(local: u32) {
    let width = params.k / 4u;
    for (var first = 0u; first < TILE_ROWS; first += WORKGROUP / 8u) {
        let row = first + local / 8u;
        var sum = 0.0;
        for (var i = local % 8u; i < width; i += 8u) {
            let four = unpack1(x[(first_row + row) * width + i]);
            sum += dot(four, four);
        }
        squares[8u * row + local % 8u] = sum;
    }
    workgroupBarrier();
    if (local < TILE_ROWS) {
        let at = 8u * local;
        let low = (squares[at] + squares[at + 1u]) + (squares[at + 2u] + squares[at + 3u]);
        let high = (squares[at + 4u] + squares[at + 5u]) + (squares[at + 6u] + squares[at + 7u]);
        inv_rms[local] = 1.0 / sqrt((low + high) / f32(params.k) + params.eps);
        if (has_first_columns) { inv_rms_out[first_row + local] = inv_rms[local]; }
    }
    workgroupBarrier();
}

fn normalized(row: u32, k: u32) -> vec4<f32> {
    let at = row * (params.k / 4u) + k;
    let value = gain[k] * unpack1(x[at]) * inv_rms[row - first_row];
    if (has_first_columns) { values[at] = vec4<Number5>(value); }
    return value;
}

fn four_rows_of_a(order: u32, row: u32, k: u32, s: Shape) -> mat4x4<f32> {
    let first = 4u * row;
    return mat4x4<f32>(normalized(first, k), normalized(first + 1u, k), normalized(first + 2u, k), normalized(first + 3u, k));
}

fn load_b(order: u32, i: u32) -> Element { return unpack(w[i]); }

fn store(order: u32, i: u32, value: Element) {
    let width = params.n / 4u;
    y[i] = Stored4(rotate(value, i / width, i % width));
}

fn normalize_and_multiply(workgroup: vec3<u32>, local: u32) {
    first_row = workgroup.y * TILE_ROWS;
    has_first_columns = workgroup.x == 0u;
    measure_rows(local);
    multiply(NT, workgroup.yx, local, Shape(params.m, params.n, params.k));
}
