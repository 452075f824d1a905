// LayerNorm without its bias, which `bias` adds separately: normalizes every row to mean 0 and variance 1, then scales it
// by a trainable gain.

struct Params {
    n_rows: u32,
    d_model: u32,
    eps: f32,
    accumulate: u32, // layernorm_grad: 1 adds to the values of x_grad
}

@group(0) @binding(0) var<uniform> params: Params;

// inv_std = 1 / √(mean((x − mean)²) + eps);   y[c] = gain[c] · (x[c] − mean) · inv_std
@group(0) @binding(1) var<storage, read> x: array<Number1>; // (N, C)
@group(0) @binding(2) var<storage, read> gain: array<f32>; // (C)
@group(0) @binding(3) var<storage, read_write> y: array<Number3>; // (N, C)
@group(0) @binding(4) var<storage, read_write> stats_out: array<vec2<f32>>; // (N): mean, inv_std

@compute @workgroup_size(64)
fn layernorm(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    let start = row * params.d_model;
    var sum = 0.0;
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        sum += f32(x[start + c]);
    }
    let mean = workgroup_sum(sum, local) / f32(params.d_model);
    var squares = 0.0;
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        let centred = f32(x[start + c]) - mean;
        squares += centred * centred;
    }
    let inv_std = 1.0 / sqrt(workgroup_sum(squares, local) / f32(params.d_model) + params.eps);
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        y[start + c] = Number3(gain[c] * (f32(x[start + c]) - mean) * inv_std);
    }
    if (local == 0u) {
        stats_out[row] = vec2<f32>(mean, inv_std);
    }
}

// With n[c] = (x[c] − mean) · inv_std and g[c] = gain[c] · y_grad[c]; mean and inv_std depend on every x of the row:
// x_grad[c] = inv_std · (g[c] − mean(g) − n[c] · mean(g·n))
@group(0) @binding(3) var<storage, read> y_grad: array<f32>; // (N, C)
@group(0) @binding(4) var<storage, read> stats_in: array<vec2<f32>>; // (N)
@group(0) @binding(5) var<storage, read_write> x_grad: array<f32>; // (N, C)
@group(0) @binding(6) var<storage, read_write> gain_grad: array<f32>; // (C)

// One workgroup per row for the gradient of x, then one per channel for the gradient of the gain.
@compute @workgroup_size(64)
fn layernorm_grad(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let which = flat_workgroup(workgroup, workgroups);
    if (which < params.n_rows) {
        grad_of_x(which, local);
    } else if (which < params.n_rows + params.d_model) {
        grad_of_gain(which - params.n_rows, local);
    }
}

fn grad_of_x(row: u32, local: u32) {
    let start = row * params.d_model;
    let mean = stats_in[row].x;
    let inv_std = stats_in[row].y;
    var sum = 0.0;
    var dot = 0.0;
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        let g = gain[c] * y_grad[start + c];
        sum += g;
        dot += g * (f32(x[start + c]) - mean) * inv_std;
    }
    let mean_g = workgroup_sum(sum, local) / f32(params.d_model);
    let mean_gn = workgroup_sum(dot, local) / f32(params.d_model);
    for (var c = local; c < params.d_model; c += ROW_WORKGROUP) {
        let i = start + c;
        let n = (f32(x[i]) - mean) * inv_std;
        let value = inv_std * (gain[c] * y_grad[i] - mean_g - n * mean_gn);
        x_grad[i] = select(value, x_grad[i] + value, params.accumulate == 1u);
    }
}

// gain_grad[c] = Σ_n y_grad[n, c] · (x[n, c] − mean[n]) · inv_std[n]
fn column_term(row: u32, c: u32) -> f32 {
    let i = row * params.d_model + c;
    return y_grad[i] * (f32(x[i]) - stats_in[row].x) * stats_in[row].y;
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
