// A row of {n} elements in registers: one invocation's part of a head. Named vectors, because arrays end up in memory. It is
// expanded by ops::rows: a line with {i} stands for one line per vector, with {j} for every vector but the first; {4i} and {4j}
// are the index of the vector's first element.

const ROW: u32 = {n}u;

struct Row {
    x{i}: vec4<f32>,
}

fn dot_rows(a: Row, b: Row) -> f32 {
    var sum = a.x0 * b.x0;
    sum += a.x{j} * b.x{j};
    return (sum.x + sum.y) + (sum.z + sum.w);
}

fn scale_row(a: Row, scale: f32) -> Row {
    return Row(
        a.x{i} * scale,
    );
}

fn add_scaled(sum: Row, scale: f32, a: Row) -> Row {
    return Row(
        sum.x{i} + scale * a.x{i},
    );
}

// The first `n` elements; the others become 0.
fn inside(a: Row, n: u32) -> Row {
    return Row(
        first(a.x{i}, n, {4i}u),
    );
}

fn qkv_row(at: u32) -> Row {
    return Row(
        qkv_at(at + {4i}u),
    );
}

fn out_row(at: u32) -> Row {
    return Row(
        out_at(at + {4i}u),
    );
}

fn out_grad_row(at: u32) -> Row {
    return Row(
        out_grad_at(at + {4i}u),
    );
}

fn store_out_row(at: u32, n: u32, a: Row) {
    store_out(at, n, a.x0);
    if (n > {4j}u) { store_out(at + {4j}u, n - {4j}u, a.x{j}); }
}

fn store_grad_row(at: u32, n: u32, a: Row) {
    store_grad(at, n, a.x0);
    if (n > {4j}u) { store_grad(at + {4j}u, n - {4j}u, a.x{j}); }
}

// The row that lane `lane` holds.
fn of_lane(a: Row, lane: u32) -> Row {
    return Row(
        of_lane_vec4(a.x{i}, lane),
    );
}

// Rotated back by the angles that begin at `at` in RoPE's table.
fn unrotated(a: Row, at: u32) -> Row {
    return Row(
        turn_back(a.x{i}, at + {4i}u),
    );
}
