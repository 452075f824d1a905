// FlashAttention's data of the four positions that an invocation owns.

struct Rows { x: Row, y: Row, z: Row, w: Row }

// Row i of four. What is done once per position is a loop over the four, because the more code a kernel has, the longer a CPU
// that emulates a GPU takes to compile it.
fn one_of(rows: Rows, i: u32) -> Row {
    var row = rows.x;
    if (i == 1u) { row = rows.y; }
    if (i == 2u) { row = rows.z; }
    if (i == 3u) { row = rows.w; }
    return row;
}

fn with_row(rows: Rows, i: u32, row: Row) -> Rows {
    var all = rows;
    if (i == 0u) { all.x = row; }
    if (i == 1u) { all.y = row; }
    if (i == 2u) { all.z = row; }
    if (i == 3u) { all.w = row; }
    return all;
}

// Parts of four heads in qkv, which begin at `at`.
fn qkv_rows(at: vec4<u32>, part: u32) -> Rows {
    var rows = Rows();
    for (var i = 0u; i < 4u; i++) {
        rows = with_row(rows, i, inside(qkv_row(at[i] + part), params.d_head - part));
    }
    return rows;
}

fn dots(a: Rows, b: Row) -> vec4<f32> {
    return vec4<f32>(dot_rows(a.x, b), dot_rows(a.y, b), dot_rows(a.z, b), dot_rows(a.w, b));
}

fn scale_rows(a: Rows, scale: vec4<f32>) -> Rows {
    return Rows(scale_row(a.x, scale.x), scale_row(a.y, scale.y), scale_row(a.z, scale.z), scale_row(a.w, scale.w));
}

fn add_scaled_rows(sums: Rows, scale: vec4<f32>, a: Row) -> Rows {
    return Rows(
        add_scaled(sums.x, scale.x, a),
        add_scaled(sums.y, scale.y, a),
        add_scaled(sums.z, scale.z, a),
        add_scaled(sums.w, scale.w, a),
    );
}
