// Gathers a batch from the tokens on the device: inputs and, one position later, targets.

struct Params {
    batch_size: u32,
    context_length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<u32>; // all tokens of the split
@group(0) @binding(2) var<storage, read> starts: array<u32>; // (B)
@group(0) @binding(3) var<storage, read_write> inputs: array<u32>; // (B, T)
@group(0) @binding(4) var<storage, read_write> targets: array<u32>; // (B, T)

// inputs[b, t] = tokens[starts[b] + t], targets[b, t] = tokens[starts[b] + t + 1]
@compute @workgroup_size(64)
fn gather_batch(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.batch_size * params.context_length) { return; }
    let first = starts[i / params.context_length] + i % params.context_length;
    inputs[i] = tokens[first];
    targets[i] = tokens[first + 1u];
}
