// Cross-entropy of the logits against the next tokens, per position. One workgroup per row.

struct Params {
    n_rows: u32,
    vocab_size: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> targets: array<u32>; // (N)
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // (N)

// losses[n] = ln Σ exp(logits[n]) − logits[n, targets[n]]
@group(0) @binding(1) var<storage, read> logits: array<f32>; // (N, V)

fn row_loss(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    let start = row * params.vocab_size;
    let end = start + params.vocab_size;
    var largest = logits[start];
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        largest = max(largest, logits[i]);
    }
    largest = workgroup_max(largest, local);
    var sum = 0.0;
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        sum += exp(logits[i] - largest);
    }
    sum = workgroup_sum(sum, local);
    if (local == 0u) {
        losses[row] = log(sum) + largest - logits[start + targets[row]];
    }
}

// The loss is the mean of losses[n] = ln Σ exp(logits[n]) − logits[n, targets[n]], so
// logits_grad[n, v] = (softmax(logits[n])[v] − [v = targets[n]]) / N. In place: the logits become their gradient.
@group(0) @binding(1) var<storage, read_write> logits_to_grad: array<f32>; // (N, V)

fn row_grad(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) {
    let row = flat_workgroup(workgroup, workgroups);
    if (row >= params.n_rows) { return; }
    let start = row * params.vocab_size;
    let end = start + params.vocab_size;
    let target_at = start + targets[row];
    // The invocation that overwrites the target's logit is the one that needs it.
    let owns_target = targets[row] % ROW_WORKGROUP == local;
    var target_logit = 0.0;
    if (owns_target) { target_logit = logits_to_grad[target_at]; }
    var largest = logits_to_grad[start];
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        largest = max(largest, logits_to_grad[i]);
    }
    largest = workgroup_max(largest, local);
    var sum = 0.0;
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        let e = exp(logits_to_grad[i] - largest);
        logits_to_grad[i] = e;
        sum += e;
    }
    sum = workgroup_sum(sum, local);
    for (var i = start + local; i < end; i += ROW_WORKGROUP) {
        let probability = logits_to_grad[i] / sum;
        logits_to_grad[i] = (probability - select(0.0, 1.0, i == target_at)) / f32(params.n_rows);
    }
    if (owns_target) {
        losses[row] = log(sum) + largest - target_logit;
    }
}
