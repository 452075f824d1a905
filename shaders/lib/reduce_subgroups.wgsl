// Sum and maximum over the 64 invocations of a workgroup, for GPUs: within each subgroup, then over the subgroups, with two
// barriers instead of eight. Subgroups may have any size: that of the running pipeline is read, and nothing is assumed about
// which invocations form a subgroup. All invocations have to call these functions, and all get the result.

const ROW_WORKGROUP: u32 = 64u;

var<private> lane: u32; // index in the subgroup
var<private> lanes: u32; // number of invocations in the subgroup
var<workgroup> partial: array<f32, ROW_WORKGROUP>;

fn workgroup_sum(value: f32, local: u32) -> f32 {
    let of_subgroup = subgroupAdd(value);
    partial[local] = select(0.0, of_subgroup, lane == 0u);
    workgroupBarrier();
    var sum = 0.0;
    for (var i = lane; i < ROW_WORKGROUP; i += lanes) { sum += partial[i]; }
    let total = subgroupAdd(sum);
    workgroupBarrier(); // all have read `partial` before it is overwritten
    return total;
}

fn workgroup_max(value: f32, local: u32) -> f32 {
    partial[local] = subgroupMax(value);
    workgroupBarrier();
    var largest = partial[lane];
    for (var i = lane; i < ROW_WORKGROUP; i += lanes) { largest = max(largest, partial[i]); }
    let total = subgroupMax(largest);
    workgroupBarrier();
    return total;
}
