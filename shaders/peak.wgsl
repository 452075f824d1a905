// As many multiplications and additions as a device can do: chains that depend neither on memory nor on each other.

struct Params {
    len: u32,
    rounds: u32,
    factor: f32,
    term: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

// out[i] = the sum of 32 chains x ← factor · x + term, `rounds` long
@compute @workgroup_size(64)
fn peak(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = flat_index(workgroup, workgroups, local);
    if (i >= params.len) { return; }
    let factor = vec4(params.factor);
    let term = vec4(params.term);
    let first = (vec4(0.0, 1.0, 2.0, 3.0) + f32(i % 8u) * 32.0) / 256.0;
    var a = first + 0.0 / 256.0;
    var b = first + 4.0 / 256.0;
    var c = first + 8.0 / 256.0;
    var d = first + 12.0 / 256.0;
    var e = first + 16.0 / 256.0;
    var f = first + 20.0 / 256.0;
    var g = first + 24.0 / 256.0;
    var h = first + 28.0 / 256.0;
    for (var round = 0u; round < params.rounds; round++) {
        a = fma(factor, a, term);
        b = fma(factor, b, term);
        c = fma(factor, c, term);
        d = fma(factor, d, term);
        e = fma(factor, e, term);
        f = fma(factor, f, term);
        g = fma(factor, g, term);
        h = fma(factor, h, term);
    }
    let sum = a + b + c + d + e + f + g + h;
    out[i] = sum.x + sum.y + sum.z + sum.w;
}
