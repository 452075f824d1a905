// A row of 16 elements in registers: one invocation's part of a head. Named vectors, because arrays end up in memory.

const ROW: u32 = 16u;

struct Row {
    x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>,
}

fn dot_rows(a: Row, b: Row) -> f32 {
    var sum = a.x0 * b.x0;
    sum += a.x1 * b.x1;
    sum += a.x2 * b.x2;
    sum += a.x3 * b.x3;
    return (sum.x + sum.y) + (sum.z + sum.w);
}

fn scale_row(a: Row, scale: f32) -> Row {
    return Row(
        a.x0 * scale, a.x1 * scale, a.x2 * scale, a.x3 * scale,
    );
}

fn add_scaled(sum: Row, scale: f32, a: Row) -> Row {
    return Row(
        sum.x0 + scale * a.x0, sum.x1 + scale * a.x1, sum.x2 + scale * a.x2, sum.x3 + scale * a.x3,
    );
}

// The first `n` elements; the others become 0.
fn inside(a: Row, n: u32) -> Row {
    return Row(
        first(a.x0, n, 0u), first(a.x1, n, 4u), first(a.x2, n, 8u), first(a.x3, n, 12u),
    );
}

fn qkv_row(at: u32) -> Row {
    return Row(
        qkv_at(at), qkv_at(at + 4u), qkv_at(at + 8u), qkv_at(at + 12u),
    );
}

fn out_row(at: u32) -> Row {
    return Row(
        out_at(at), out_at(at + 4u), out_at(at + 8u), out_at(at + 12u),
    );
}

fn out_grad_row(at: u32) -> Row {
    return Row(
        out_grad_at(at), out_grad_at(at + 4u), out_grad_at(at + 8u), out_grad_at(at + 12u),
    );
}

fn store_out_row(at: u32, n: u32, a: Row) {
    store_out(at, n, a.x0);
    if (n > 4u) { store_out(at + 4u, n - 4u, a.x1); }
    if (n > 8u) { store_out(at + 8u, n - 8u, a.x2); }
    if (n > 12u) { store_out(at + 12u, n - 12u, a.x3); }
}

fn store_grad_row(at: u32, n: u32, a: Row) {
    store_grad(at, n, a.x0);
    if (n > 4u) { store_grad(at + 4u, n - 4u, a.x1); }
    if (n > 8u) { store_grad(at + 8u, n - 8u, a.x2); }
    if (n > 12u) { store_grad(at + 12u, n - 12u, a.x3); }
}

// The row that lane `lane` holds.
fn of_lane(a: Row, lane: u32) -> Row {
    return Row(
        of_lane_vec4(a.x0, lane), of_lane_vec4(a.x1, lane), of_lane_vec4(a.x2, lane), of_lane_vec4(a.x3, lane),
    );
}

// Rotated back by the angles that begin at `at` in RoPE's table.
fn unrotated(a: Row, at: u32) -> Row {
    return Row(
        turn_back(a.x0, at), turn_back(a.x1, at + 4u), turn_back(a.x2, at + 8u), turn_back(a.x3, at + 12u),
    );
}
