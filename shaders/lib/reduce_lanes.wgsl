// Sum and maximum over the LANES invocations of a workgroup that are all in one subgroup: without barriers, which cost
// more than the work between them where a CPU emulates the GPU.

const ROW_WORKGROUP: u32 = LANES;

fn workgroup_sum(value: f32, local: u32) -> f32 { return subgroupAdd(value); }
fn workgroup_max(value: f32, local: u32) -> f32 { return subgroupMax(value); }
