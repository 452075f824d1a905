// Writes Σ coefficient · loss over all tokens to this step's slot of the ring; batches accumulated for one step add up. One
// workgroup.

struct Params {
    n_rows: u32,
}

const RUN: u32 = 16384;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> losses: array<f32>; // (N)
@group(0) @binding(3) var<storage, read> coefficients: array<f32>; // (N)
@group(0) @binding(4) var<storage, read_write> ring: array<f32>;

// ring[slot] ← (0 for the first batch, else ring[slot]) + weight · Σ coefficients · losses
@compute @workgroup_size(64)
fn weighted_loss(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    // Sums of runs, as for the mean loss.
    for (var start = 0u; start < params.n_rows; start += RUN) {
        let end = min(params.n_rows, start + RUN);
        var part = 0.0;
        for (var row = start + local; row < end; row += ROW_WORKGROUP) {
            part += coefficients[row] * losses[row];
        }
        sum += part;
    }
    sum = workgroup_sum(sum, local);
    if (local == 0u) {
        let total = step.weight * sum;
        ring[step.slot] = select(ring[step.slot] + total, total, step.first == 1u);
    }
}
