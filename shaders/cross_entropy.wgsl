// Cross-entropy of the logits against the next tokens, per position. One workgroup per row. `scaled` weighs a row's
// gradient; where WITH_ENTROPY is true, `write_entropy` stores the entropy of its distribution.

struct Params {
    n_rows: u32,
    vocab_size: u32,
    block: u32, // columns of a block: the logits are blocks (N, block), the last one may be narrower; V for a single block
    n_total: u32, // rows of the whole batch, over which the loss is averaged
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> targets: array<u32>; // (N)
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // (N)

const LOWEST: f32 = -3.4028234e38;

// End of the block that begins at column `first`: logits[block_start(row, first) + i] is column i of a row.
fn block_end(first: u32) -> u32 { return min(first + params.block, params.vocab_size); }
fn block_start(row: u32, first: u32) -> u32 {
    return first * params.n_rows + row * (block_end(first) - first) - first;
}

fn target_index(row: u32) -> u32 {
    let target_id = targets[row];
    return block_start(row, target_id / params.block * params.block) + target_id;
}

// losses[n] = ln Σ exp(logits[n]) − logits[n, targets[n]]
@group(0) @binding(1) var<storage, read> logits: array<f32>; // (N, V)

fn row_loss(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    var largest = LOWEST;
    for (var first = 0u; first < params.vocab_size; first += params.block) {
        let start = block_start(row, first);
        for (var i = first + local; i < block_end(first); i += ROW_WORKGROUP) {
            largest = max(largest, logits[start + i]);
        }
    }
    largest = workgroup_max(largest, local);
    var sum = 0.0;
    var weighted = 0.0;
    for (var first = 0u; first < params.vocab_size; first += params.block) {
        let start = block_start(row, first);
        for (var i = first + local; i < block_end(first); i += ROW_WORKGROUP) {
            let shifted = logits[start + i] - largest;
            let e = exp(shifted);
            sum += e;
            if (WITH_ENTROPY && e > 0.0) { weighted += e * shifted; }
        }
    }
    sum = workgroup_sum(sum, local);
    if (WITH_ENTROPY) { weighted = workgroup_sum(weighted, local); }
    if (local == 0u) {
        losses[row] = log(sum) + largest - logits[target_index(row)];
        write_entropy(row, log(sum) - weighted / sum);
    }
}

// logits_grad[n, v] = c · (softmax(logits[n])[v] − [v = targets[n]]), where c is 1 / N for the mean of the losses, or the
// row's coefficient. In place: the logits become their gradient.
@group(0) @binding(1) var<storage, read_write> logits_to_grad: array<f32>; // (N, V)

fn row_grad(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    let target_at = target_index(row);
    // The invocation that overwrites the target's logit is the one that needs it: blocks are a multiple of 64 wide.
    let owns_target = targets[row] % ROW_WORKGROUP == local;
    var target_logit = 0.0;
    if (owns_target) { target_logit = logits_to_grad[target_at]; }
    var largest = LOWEST;
    for (var first = 0u; first < params.vocab_size; first += params.block) {
        let start = block_start(row, first);
        for (var i = first + local; i < block_end(first); i += ROW_WORKGROUP) {
            largest = max(largest, logits_to_grad[start + i]);
        }
    }
    largest = workgroup_max(largest, local);
    var sum = 0.0;
    var weighted = 0.0;
    for (var first = 0u; first < params.vocab_size; first += params.block) {
        let start = block_start(row, first);
        for (var i = first + local; i < block_end(first); i += ROW_WORKGROUP) {
            let shifted = logits_to_grad[start + i] - largest;
            let e = exp(shifted);
            logits_to_grad[start + i] = e;
            sum += e;
            if (WITH_ENTROPY && e > 0.0) { weighted += e * shifted; }
        }
    }
    sum = workgroup_sum(sum, local);
    if (WITH_ENTROPY) { weighted = workgroup_sum(weighted, local); }
    for (var first = 0u; first < params.vocab_size; first += params.block) {
        let start = block_start(row, first);
        for (var i = first + local; i < block_end(first); i += ROW_WORKGROUP) {
            let probability = logits_to_grad[start + i] / sum;
            logits_to_grad[start + i] = scaled(row, probability - select(0.0, 1.0, start + i == target_at));
        }
    }
    if (owns_target) {
        losses[row] = log(sum) + largest - target_logit;
        write_entropy(row, log(sum) - weighted / sum);
    }
}
