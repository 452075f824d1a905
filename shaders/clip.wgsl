// Gradient clipping by the global norm: partial sums of squares, their square root, then one scale for all gradients.

struct Params {
    len: u32, // squared_sums, clip: number of gradients; grad_norm: of partial sums
}

@group(0) @binding(0) var<uniform> params: Params;

// sums[w] = Σ grads² over the runs w, w + n, … of n workgroups
const RUN = 64u;
@group(0) @binding(1) var<storage, read> squared: array<f32>; // (P)
@group(0) @binding(2) var<storage, read_write> sums_out: array<f32>; // one per workgroup

fn sum_squares(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    var sum = 0.0;
    for (var run = workgroup.x * RUN; run < params.len; run += workgroups.x * RUN) {
        for (var i = run + local; i < min(run + RUN, params.len); i += ROW_WORKGROUP) {
            sum += squared[i] * squared[i];
        }
    }
    sum = workgroup_sum(sum, local);
    if (local == 0u) {
        sums_out[workgroup.x] = sum;
    }
}

// norm = √Σ sums, stored for this step and in the ring. Once a loss or a norm is not finite, so are all later norms until
// the host writes 0: steps submitted after a non-finite one change nothing either. One workgroup.
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> norm_out: array<f32>; // (1)
@group(0) @binding(4) var<storage, read_write> ring: array<f32>;
@group(0) @binding(5) var<storage, read> losses: array<f32>; // also a ring

@compute @workgroup_size(ROW_WORKGROUP)
fn grad_norm(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < params.len; i += ROW_WORKGROUP) {
        sum += sums[i];
    }
    var norm = sqrt(workgroup_sum(sum, local));
    if (local == 0u) {
        if (!is_finite(losses[step.slot])) { norm = losses[step.slot]; }
        if (!is_finite(norm_out[0])) { norm = norm_out[0]; }
        norm_out[0] = norm;
        ring[step.slot] = norm;
    }
}

// grads ← grads · min(1, max_grad_norm / (norm + 1e-6))
@group(0) @binding(2) var<storage, read> norm: array<f32>; // (1)
@group(0) @binding(3) var<storage, read_write> grads: array<f32>; // (P)

@compute @workgroup_size(64)
fn clip(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    grads[i] *= clip_scale(norm[0], step.max_grad_norm);
}
