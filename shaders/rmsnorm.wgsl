// RMSNorm: divides every row by its root mean square and scales it by a trainable gain. The sum over a workgroup is
// defined by lib/reduce.wgsl or lib/reduce_lanes.wgsl.

struct Params {
    n_rows: u32,
    d_model: u32,
    eps: f32,
    accumulate: u32, // rmsnorm_grad: 1 adds to the values of x_grad
}

@group(0) @binding(0) var<uniform> params: Params;

// inv_rms = 1 / √(mean(x²) + eps);   y[c] = gain[c] · x[c] · inv_rms
@group(0) @binding(1) var<storage, read> x: array<Number1>; // (N, C)
@group(0) @binding(2) var<storage, read> gain: array<f32>; // (C)
@group(0) @binding(3) var<storage, read_write> y: array<Number3>; // (N, C)
@group(0) @binding(4) var<storage, read_write> inv_rms_out: array<f32>; // (N)

fn normalize(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    let start = row * params.d_model;
    var squares = 0.0;
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        let value = f32(x[start + c]);
        squares += value * value;
    }
    let mean = workgroup_sum(squares, local) / f32(params.d_model);
    let inv_rms = 1.0 / sqrt(mean + params.eps);
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        y[start + c] = Number3(gain[c] * f32(x[start + c]) * inv_rms);
    }
    if (local == 0u) {
        inv_rms_out[row] = inv_rms;
    }
}

// y[c] = gain[c] · x[c] · inv_rms, and inv_rms depends on every x of the row:
// x_grad[c] = inv_rms · (gain[c]·y_grad[c] − x[c] · inv_rms² · mean(gain·y_grad·x))
@group(0) @binding(3) var<storage, read> y_grad: array<f32>; // (N, C)
@group(0) @binding(4) var<storage, read> inv_rms_in: array<f32>; // (N)
@group(0) @binding(5) var<storage, read_write> x_grad: array<f32>; // (N, C)
@group(0) @binding(6) var<storage, read_write> gain_grad: array<f32>; // (C)

// One workgroup per row for the gradient of x, then one per channel for the gradient of the gain.
fn norm_grads(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let which = flat_workgroup(workgroup, workgroups);
    if (which < params.n_rows) {
        grad_of_x(which, local);
    } else if (which < params.n_rows + params.d_model) {
        grad_of_gain(which - params.n_rows, local);
    }
}

fn grad_of_x(row: u32, local: u32) {
    let start = row * params.d_model;
    let inv_rms = inv_rms_in[row];
    var dot = 0.0;
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        dot += gain[c] * y_grad[start + c] * f32(x[start + c]);
    }
    let mean = workgroup_sum(dot, local) / f32(params.d_model);
    let pull = inv_rms * inv_rms * mean;
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        let i = start + c;
        let value = inv_rms * (gain[c] * y_grad[i] - f32(x[i]) * pull);
        x_grad[i] = select(value, x_grad[i] + value, params.accumulate == 1u);
    }
}

// y[n, c] = gain[c] · x[n, c] · inv_rms[n], so gain_grad[c] = Σ_n y_grad[n, c] · x[n, c] · inv_rms[n].
fn column_term(row: u32, c: u32) -> f32 {
    let i = row * params.d_model + c;
    return y_grad[i] * f32(x[i]) * inv_rms_in[row];
}

fn grad_of_gain(c: u32, local: u32) {
    var sum = 0.0;
    for (var row = local; row < params.n_rows; row += ROW_WORKGROUP) {
        sum += column_term(row, c);
    }
    let total = workgroup_sum(sum, local);
    if (local == 0u) {
        gain_grad[c] = total;
    }
}
