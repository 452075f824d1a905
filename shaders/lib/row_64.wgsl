// A row of 64 elements in registers: one invocation's part of a head. Named vectors, because arrays end up in memory.

const ROW: u32 = 64u;

struct Row {
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
    x4: vec4<f32>, x5: vec4<f32>, x6: vec4<f32>, x7: vec4<f32>,
    x8: vec4<f32>, x9: vec4<f32>, x10: vec4<f32>, x11: vec4<f32>,
    x12: vec4<f32>, x13: vec4<f32>, x14: vec4<f32>, x15: vec4<f32>,
}

fn dot_rows(a: Row, b: Row) -> f32 {
    var sum = a.x0 * b.x0;
    sum += a.x1 * b.x1;
    sum += a.x2 * b.x2;
    sum += a.x3 * b.x3;
    sum += a.x4 * b.x4;
    sum += a.x5 * b.x5;
    sum += a.x6 * b.x6;
    sum += a.x7 * b.x7;
    sum += a.x8 * b.x8;
    sum += a.x9 * b.x9;
    sum += a.x10 * b.x10;
    sum += a.x11 * b.x11;
    sum += a.x12 * b.x12;
    sum += a.x13 * b.x13;
    sum += a.x14 * b.x14;
    sum += a.x15 * b.x15;
    return (sum.x + sum.y) + (sum.z + sum.w);
}

fn scale_row(a: Row, scale: f32) -> Row {
    return Row(
        a.x0 * scale, a.x1 * scale, a.x2 * scale, a.x3 * scale,
        a.x4 * scale, a.x5 * scale, a.x6 * scale, a.x7 * scale,
        a.x8 * scale, a.x9 * scale, a.x10 * scale, a.x11 * scale,
        a.x12 * scale, a.x13 * scale, a.x14 * scale, a.x15 * scale,
    );
}

fn add_scaled(sum: Row, scale: f32, a: Row) -> Row {
    return Row(
        sum.x0 + scale * a.x0, sum.x1 + scale * a.x1, sum.x2 + scale * a.x2, sum.x3 + scale * a.x3,
        sum.x4 + scale * a.x4, sum.x5 + scale * a.x5, sum.x6 + scale * a.x6, sum.x7 + scale * a.x7,
        sum.x8 + scale * a.x8, sum.x9 + scale * a.x9, sum.x10 + scale * a.x10, sum.x11 + scale * a.x11,
        sum.x12 + scale * a.x12, sum.x13 + scale * a.x13, sum.x14 + scale * a.x14, sum.x15 + scale * a.x15,
    );
}

// The first `n` elements; the others become 0.
fn inside(a: Row, n: u32) -> Row {
    return Row(
        first(a.x0, n, 0u), first(a.x1, n, 4u), first(a.x2, n, 8u), first(a.x3, n, 12u),
        first(a.x4, n, 16u), first(a.x5, n, 20u), first(a.x6, n, 24u), first(a.x7, n, 28u),
        first(a.x8, n, 32u), first(a.x9, n, 36u), first(a.x10, n, 40u), first(a.x11, n, 44u),
        first(a.x12, n, 48u), first(a.x13, n, 52u), first(a.x14, n, 56u), first(a.x15, n, 60u),
    );
}

fn qkv_row(at: u32) -> Row {
    return Row(
        qkv_at(at), qkv_at(at + 4u), qkv_at(at + 8u), qkv_at(at + 12u),
        qkv_at(at + 16u), qkv_at(at + 20u), qkv_at(at + 24u), qkv_at(at + 28u),
        qkv_at(at + 32u), qkv_at(at + 36u), qkv_at(at + 40u), qkv_at(at + 44u),
        qkv_at(at + 48u), qkv_at(at + 52u), qkv_at(at + 56u), qkv_at(at + 60u),
    );
}

fn out_row(at: u32) -> Row {
    return Row(
        out_at(at), out_at(at + 4u), out_at(at + 8u), out_at(at + 12u),
        out_at(at + 16u), out_at(at + 20u), out_at(at + 24u), out_at(at + 28u),
        out_at(at + 32u), out_at(at + 36u), out_at(at + 40u), out_at(at + 44u),
        out_at(at + 48u), out_at(at + 52u), out_at(at + 56u), out_at(at + 60u),
    );
}

fn out_grad_row(at: u32) -> Row {
    return Row(
        out_grad_at(at), out_grad_at(at + 4u), out_grad_at(at + 8u), out_grad_at(at + 12u),
        out_grad_at(at + 16u), out_grad_at(at + 20u), out_grad_at(at + 24u), out_grad_at(at + 28u),
        out_grad_at(at + 32u), out_grad_at(at + 36u), out_grad_at(at + 40u), out_grad_at(at + 44u),
        out_grad_at(at + 48u), out_grad_at(at + 52u), out_grad_at(at + 56u), out_grad_at(at + 60u),
    );
}

fn store_out_row(at: u32, n: u32, a: Row) {
    store_out(at, n, a.x0);
    if (n > 4u) { store_out(at + 4u, n - 4u, a.x1); }
    if (n > 8u) { store_out(at + 8u, n - 8u, a.x2); }
    if (n > 12u) { store_out(at + 12u, n - 12u, a.x3); }
    if (n > 16u) { store_out(at + 16u, n - 16u, a.x4); }
    if (n > 20u) { store_out(at + 20u, n - 20u, a.x5); }
    if (n > 24u) { store_out(at + 24u, n - 24u, a.x6); }
    if (n > 28u) { store_out(at + 28u, n - 28u, a.x7); }
    if (n > 32u) { store_out(at + 32u, n - 32u, a.x8); }
    if (n > 36u) { store_out(at + 36u, n - 36u, a.x9); }
    if (n > 40u) { store_out(at + 40u, n - 40u, a.x10); }
    if (n > 44u) { store_out(at + 44u, n - 44u, a.x11); }
    if (n > 48u) { store_out(at + 48u, n - 48u, a.x12); }
    if (n > 52u) { store_out(at + 52u, n - 52u, a.x13); }
    if (n > 56u) { store_out(at + 56u, n - 56u, a.x14); }
    if (n > 60u) { store_out(at + 60u, n - 60u, a.x15); }
}

fn store_grad_row(at: u32, n: u32, a: Row) {
    store_grad(at, n, a.x0);
    if (n > 4u) { store_grad(at + 4u, n - 4u, a.x1); }
    if (n > 8u) { store_grad(at + 8u, n - 8u, a.x2); }
    if (n > 12u) { store_grad(at + 12u, n - 12u, a.x3); }
    if (n > 16u) { store_grad(at + 16u, n - 16u, a.x4); }
    if (n > 20u) { store_grad(at + 20u, n - 20u, a.x5); }
    if (n > 24u) { store_grad(at + 24u, n - 24u, a.x6); }
    if (n > 28u) { store_grad(at + 28u, n - 28u, a.x7); }
    if (n > 32u) { store_grad(at + 32u, n - 32u, a.x8); }
    if (n > 36u) { store_grad(at + 36u, n - 36u, a.x9); }
    if (n > 40u) { store_grad(at + 40u, n - 40u, a.x10); }
    if (n > 44u) { store_grad(at + 44u, n - 44u, a.x11); }
    if (n > 48u) { store_grad(at + 48u, n - 48u, a.x12); }
    if (n > 52u) { store_grad(at + 52u, n - 52u, a.x13); }
    if (n > 56u) { store_grad(at + 56u, n - 56u, a.x14); }
    if (n > 60u) { store_grad(at + 60u, n - 60u, a.x15); }
}

// The row that lane `lane` holds.
fn of_lane(a: Row, lane: u32) -> Row {
    return Row(
        of_lane_vec4(a.x0, lane), of_lane_vec4(a.x1, lane), of_lane_vec4(a.x2, lane), of_lane_vec4(a.x3, lane),
        of_lane_vec4(a.x4, lane), of_lane_vec4(a.x5, lane), of_lane_vec4(a.x6, lane), of_lane_vec4(a.x7, lane),
        of_lane_vec4(a.x8, lane), of_lane_vec4(a.x9, lane), of_lane_vec4(a.x10, lane), of_lane_vec4(a.x11, lane),
        of_lane_vec4(a.x12, lane), of_lane_vec4(a.x13, lane), of_lane_vec4(a.x14, lane), of_lane_vec4(a.x15, lane),
    );
}

// Rotated back by the angles that begin at `at` in RoPE's table.
fn unrotated(a: Row, at: u32) -> Row {
    return Row(
        turn_back(a.x0, at), turn_back(a.x1, at + 4u), turn_back(a.x2, at + 8u), turn_back(a.x3, at + 12u),
        turn_back(a.x4, at + 16u), turn_back(a.x5, at + 20u), turn_back(a.x6, at + 24u), turn_back(a.x7, at + 28u),
        turn_back(a.x8, at + 32u), turn_back(a.x9, at + 36u), turn_back(a.x10, at + 40u), turn_back(a.x11, at + 44u),
        turn_back(a.x12, at + 48u), turn_back(a.x13, at + 52u), turn_back(a.x14, at + 56u), turn_back(a.x15, at + 60u),
    );
}
