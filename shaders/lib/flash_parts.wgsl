// FlashAttention where an invocation holds a part of a head: the terms of the other parts are read from memory.

// llvmpipe recompiles a kernel at every use if loop counts depend on parameters alone; it cannot know this length.
fn head_size() -> u32 { return min(params.d_head, 4u * arrayLength(&qkv)); }

// Four rows of a part, in inner loops.
fn part_of_qkv(at: vec4<u32>, d: u32) -> Rows {
    let n = params.d_head - d;
    return Rows(
        inside(qkv_row(at.x + d), n),
        inside(qkv_row(at.y + d), n),
        inside(qkv_row(at.z + d), n),
        inside(qkv_row(at.w + d), n),
    );
}

fn part_of_out_grad(at: vec4<u32>, d: u32) -> Rows {
    let n = params.d_head - d;
    return Rows(
        inside(out_grad_row(at.x + d), n),
        inside(out_grad_row(at.y + d), n),
        inside(out_grad_row(at.z + d), n),
        inside(out_grad_row(at.w + d), n),
    );
}

// Four q·k without `part`, for heads that begin at `a` and `b` in qkv.
fn dots_of_other_parts(part: u32, a: vec4<u32>, b: u32) -> vec4<f32> {
    var sums = vec4<f32>();
    for (var d = 0u; d < head_size(); d += ROW) {
        if (d != part) { sums += dots(part_of_qkv(a, d), qkv_row(b + d)); }
    }
    return sums;
}

// Four out_grad·v without `part`, for four queries and one value.
fn grads_of_other_parts(part: u32, o_at: vec4<u32>, v_at: u32) -> vec4<f32> {
    var sums = vec4<f32>();
    for (var d = 0u; d < head_size(); d += ROW) {
        if (d != part) { sums += dots(part_of_out_grad(o_at, d), qkv_row(v_at + d)); }
    }
    return sums;
}

// Four out_grad·v without `part`, for four values and one query.
fn values_of_other_parts(part: u32, v_at: vec4<u32>, o_at: u32) -> vec4<f32> {
    var sums = vec4<f32>();
    for (var d = 0u; d < head_size(); d += ROW) {
        if (d != part) { sums += dots(part_of_qkv(v_at, d), out_grad_row(o_at + d)); }
    }
    return sums;
}

// Delta of the query whose head begins at `at` in out.
fn delta(at: u32) -> f32 {
    var sum = 0.0;
    for (var d = 0u; d < head_size(); d += ROW) {
        sum += dot_rows(inside(out_grad_row(at + d), params.d_head - d), out_row(at + d));
    }
    return sum;
}
