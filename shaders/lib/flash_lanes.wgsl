// FlashAttention where the LANES invocations of a workgroup, all in one subgroup, load one key each and share it.

const WORKGROUP: u32 = LANES;
const SHARED: u32 = LANES;

// The value that lane `lane` holds.
fn of_lane_u32(x: u32, lane: u32) -> u32 { return subgroupShuffle(x, lane); }
fn of_lane_f32(x: f32, lane: u32) -> f32 { return subgroupShuffle(x, lane); }
fn of_lane_vec4(x: vec4<f32>, lane: u32) -> vec4<f32> { return subgroupShuffle(x, lane); }

// No two invocations process the same query, so each computes its own delta, without barriers.
fn prepare_deltas(block: u32, local: u32, batch: u32, head: u32) {}
fn delta_of_query(i: u32, o_at: u32) -> f32 { return delta(o_at); }
fn leave_deltas() {}
