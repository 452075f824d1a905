// The gate of SwiGLU and the linear layer that reads its output, in one dispatch: y = (base +) hidden · Wᵀ with hidden =
// silu(gate) ⊙ up. Workgroups with the first columns also store the hidden layer, which the backward pass reads. The tile
// computation is defined by the preceding file. m is a multiple of TILE_ROWS, n and k are multiples of 4.

struct Params {
    m: u32, // N
    n: u32, // width of y
    k: u32, // F
    onto: u32, // 1: the result is added to `base`; 0: `base` is not read
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate_up: array<Stored1>; // (N, 2F): rows of [gate | up]
@group(0) @binding(2) var<storage, read> w: array<Stored>; // (out, F)
@group(0) @binding(3) var<storage, read> base: array<Stored>; // (N, out)
@group(0) @binding(4) var<storage, read_write> y: array<Stored4>; // (N, out)
@group(0) @binding(5) var<storage, read_write> hidden: array<vec4<Number5>>; // (N, F)

var<private> has_first_columns: bool;

fn gated(row: u32, k: u32) -> vec4<f32> {
    let width = params.k / 4u;
    let gate = unpack1(gate_up[2u * row * width + k]);
    let value = gate * sigmoid(gate) * unpack1(gate_up[(2u * row + 1u) * width + k]);
    if (has_first_columns) { hidden[row * width + k] = vec4<Number5>(value); }
    return value;
}

fn four_rows_of_a(order: u32, row: u32, k: u32, s: Shape) -> mat4x4<f32> {
    let first = 4u * row;
    return mat4x4<f32>(gated(first, k), gated(first + 1u, k), gated(first + 2u, k), gated(first + 3u, k));
}

fn load_b(order: u32, i: u32) -> Element { return unpack(w[i]); }

fn store(order: u32, i: u32, value: Element) {
    var sum = value;
    if (params.onto == 1u) { sum += unpack(base[i]); }
    y[i] = Stored4(sum);
}

fn gate_and_multiply(workgroup: vec3<u32>, local: u32) {
    has_first_columns = workgroup.x == 0u;
    multiply(NT, workgroup.yx, local, Shape(params.m, params.n, params.k));
}
