// As linear_grad.wgsl, for the linear layer after the gate of SwiGLU, whose gradient follows in the same dispatch: the hidden
// layer's gradient is not stored, but passed on to gate and up.

struct Params {
    n_rows: u32, // N
    d_in: u32, // F
    d_out: u32,
    accumulate: u32, // 2 adds to the values of w_grad
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored1>; // (N, F), the hidden layer
@group(0) @binding(2) var<storage, read> w: array<Stored>; // (out, F)
@group(0) @binding(3) var<storage, read> y_grad: array<Stored>; // (N, out)
@group(0) @binding(4) var<storage, read> gate_up: array<Stored4>; // (N, 2F): rows of [gate | up]
@group(0) @binding(5) var<storage, read_write> gate_up_grad: array<Element>; // (N, 2F)
@group(0) @binding(6) var<storage, read_write> w_grad: array<Element>; // (out, F)

fn load_a(order: u32, i: u32) -> Element { return unpack(y_grad[i]); }

fn load_b(order: u32, i: u32) -> Element {
    if (order == NN) { return unpack(w[i]); }
    return unpack1(x[i]);
}

fn store(order: u32, i: u32, value: Element) {
    if (order == TN) {
        var sum = value;
        if (params.accumulate == 2u) { sum += w_grad[i]; }
        w_grad[i] = sum;
        return;
    }
    // hidden = silu(gate) · up, so up_grad = hidden_grad · silu(gate)
    // and gate_grad = hidden_grad · up · s·(1 + gate·(1 − s)) with s = sigmoid(gate).
    let width = params.d_in / 4u;
    let at = i + i / width * width;
    let gate = vec4<f32>(gate_up[at]);
    let s = sigmoid(gate);
    let grad = value * s;
    gate_up_grad[at] = grad * vec4<f32>(gate_up[at + width]) * (1.0 + gate * (1.0 - s));
    gate_up_grad[at + width] = grad * gate;
}

fn grads_through_gate(workgroup: vec3<u32>, local: u32) {
    let tiles = (params.n_rows + TILE_ROWS - 1u) / TILE_ROWS; // rows of workgroups for the hidden layer
    if (workgroup.y < tiles) {
        multiply(NN, workgroup.yx, local, Shape(params.n_rows, params.d_in, params.d_out));
    } else {
        multiply(TN, vec2<u32>(workgroup.y - tiles, workgroup.x), local, Shape(params.d_out, params.d_in, params.n_rows));
    }
}
