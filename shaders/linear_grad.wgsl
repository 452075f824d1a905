// The backward pass of a linear layer y = x · Wᵀ, both matmuls in one dispatch: the first rows of workgroups compute
// x_grad, the others w_grad. The tile computation is defined by the preceding file, as in matmul.wgsl.

struct Params {
    n_rows: u32, // N
    d_in: u32,
    d_out: u32,
    accumulate: u32, // 1 adds to the values of x_grad, 2 to those of w_grad, 3 to both
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored1>; // (N, in)
@group(0) @binding(2) var<storage, read> w: array<Stored>; // (out, in)
@group(0) @binding(3) var<storage, read> y_grad: array<Stored>; // (N, out)
@group(0) @binding(4) var<storage, read_write> x_grad: array<Element>; // (N, in)
@group(0) @binding(5) var<storage, read_write> w_grad: array<Element>; // (out, in)

fn load_a(order: u32, i: u32) -> Element { return unpack(y_grad[i]); }

fn load_b(order: u32, i: u32) -> Element {
    if (order == NN) { return unpack(w[i]); }
    return unpack1(x[i]);
}

fn store(order: u32, i: u32, value: Element) {
    var sum = value;
    // Conditions about i, as in matmul.wgsl.
    if (order == TN) {
        if (i < (params.accumulate >> 1u) * arrayLength(&w_grad)) { sum += w_grad[i]; }
        w_grad[i] = sum;
        return;
    }
    if (i < (params.accumulate & 1u) * arrayLength(&x_grad)) { sum += x_grad[i]; }
    x_grad[i] = sum;
}

// y = x · Wᵀ, so x_grad = y_grad · W and W_grad = y_gradᵀ · x
fn both_grads(workgroup: vec3<u32>, local: u32) {
    // llvmpipe recompiles a kernel at every use if loop counts depend on parameters alone; it cannot know these lengths.
    let n_rows = min(params.n_rows, 4u * arrayLength(&x));
    let d_out = min(params.d_out, 4u * arrayLength(&w));
    let tiles = (n_rows + TILE_ROWS - 1u) / TILE_ROWS; // rows of workgroups for x_grad
    if (workgroup.y < tiles) {
        multiply(NN, workgroup.yx, local, Shape(n_rows, params.d_in, d_out));
    } else {
        multiply(TN, vec2<u32>(workgroup.y - tiles, workgroup.x), local, Shape(d_out, params.d_in, n_rows));
    }
}
