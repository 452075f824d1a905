// Sums over the rows of a column, for GPUs. A workgroup of 64 sums eight neighboring columns: eight invocations read 32
// consecutive bytes, the unit in which GPUs read memory, and eight of them share a column. The shader defines
// column_term(row, column).

const COLUMNS = 8u;
const SHARES = 8u;

var<workgroup> share_sums: array<f32, COLUMNS * SHARES>;

// The sum of column `COLUMNS · block + local % COLUMNS`, for the first COLUMNS invocations. All invocations have to call this.
fn column_sum(block: u32, n_rows: u32, n_cols: u32, local: u32) -> f32 {
    let column = min(COLUMNS * block + local % COLUMNS, n_cols - 1u);
    var sum = vec4<f32>(); // four loads at a time
    for (var row = local / COLUMNS; row < n_rows; row += 4u * SHARES) {
        let rows = row + SHARES * vec4<u32>(0u, 1u, 2u, 3u);
        let at = min(rows, vec4<u32>(n_rows - 1u));
        let terms = vec4<f32>(
            column_term(at.x, column), column_term(at.y, column), column_term(at.z, column), column_term(at.w, column));
        sum += select(vec4<f32>(), terms, rows < vec4<u32>(n_rows));
    }
    share_sums[local] = (sum.x + sum.y) + (sum.z + sum.w);
    workgroupBarrier();
    var total = 0.0;
    for (var share = local % COLUMNS; share < COLUMNS * SHARES; share += COLUMNS) {
        total += share_sums[share];
    }
    return total;
}
