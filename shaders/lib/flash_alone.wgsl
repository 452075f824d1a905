// FlashAttention where every invocation loads all keys itself.

const WORKGROUP: u32 = 32u;
const SHARED: u32 = 1u;

fn of_lane_u32(x: u32, lane: u32) -> u32 { return x; }
fn of_lane_f32(x: f32, lane: u32) -> f32 { return x; }
fn of_lane_vec4(x: vec4<f32>, lane: u32) -> vec4<f32> { return x; }

// The deltas of a block of queries, over which all invocations loop; each computes four of them.
var<workgroup> deltas: array<f32, POSITIONS>;

fn prepare_deltas(block: u32, local: u32, batch: u32, head: u32) {
    let mine = delta_of(out_starts(batch, tile_indices(block + 4u * local, params.context_length), head));
    deltas[4u * local] = mine.x;
    deltas[4u * local + 1u] = mine.y;
    deltas[4u * local + 2u] = mine.z;
    deltas[4u * local + 3u] = mine.w;
    workgroupBarrier();
}

// Delta of the query at index `i` of the block, whose head begins at `o_at` in out.
fn delta_of_query(i: u32, o_at: u32) -> f32 { return deltas[i]; }

// All invocations have read the deltas before they are overwritten.
fn leave_deltas() { workgroupBarrier(); }
