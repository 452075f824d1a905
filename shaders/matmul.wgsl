// Matmuls, optionally added to a base: y = a · b (+ base). With x (rows, in), W (out, in):
//   matmul_nt   y      = x · Wᵀ           forward; the base is the residual stream
//   matmul_nn   x_grad = y_grad · W       backward to the input
//   matmul_tn   W_grad = y_gradᵀ · x      backward to the weight
// The tile computation is defined by the preceding file: matmul_scalar, matmul_vec4 or matmul_lanes.

struct Params {
    m: u32,
    n: u32,
    k: u32,
    onto: u32, // 1: the result is added to `base`; 0: `base` is not read
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Stored1>; // nt, nn: (m, k); tn: (k, m)
@group(0) @binding(2) var<storage, read> b: array<Stored>; // nt: (n, k); nn, tn: (k, n)
@group(0) @binding(3) var<storage, read> base: array<Stored>; // (m, n)
@group(0) @binding(4) var<storage, read_write> y: array<Stored4>; // (m, n)

fn load_a(order: u32, i: u32) -> Element { return unpack1(a[i]); }
fn load_b(order: u32, i: u32) -> Element { return unpack(b[i]); }

fn store(order: u32, i: u32, value: Element) {
    var sum = value;
    // A condition on i, because llvmpipe would recompile the kernel at every use to remove code that a parameter alone
    // switches off.
    if (i < params.onto * arrayLength(&y)) { sum += unpack(base[i]); }
    y[i] = Stored4(sum);
}

// y[i, j] = (base[i, j] +) Σ_k a[i, k] · b[j, k]
fn product_nt(workgroup: vec3<u32>, local: u32) {
    multiply(NT, workgroup.yx, local, Shape(params.m, params.n, params.k));
}

// y[i, j] = (base[i, j] +) Σ_k a[i, k] · b[k, j]
fn product_nn(workgroup: vec3<u32>, local: u32) {
    multiply(NN, workgroup.yx, local, Shape(params.m, params.n, params.k));
}

// y[i, j] = (base[i, j] +) Σ_k a[k, i] · b[k, j]
fn product_tn(workgroup: vec3<u32>, local: u32) {
    multiply(TN, workgroup.yx, local, Shape(params.m, params.n, params.k));
}
