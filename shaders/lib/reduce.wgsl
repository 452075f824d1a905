// Sum and maximum over the 64 invocations of a workgroup, as a tree in workgroup memory. All invocations have to call
// these functions, and all get the result.

const ROW_WORKGROUP: u32 = 64u;

var<workgroup> partial: array<f32, ROW_WORKGROUP>;

fn workgroup_sum(value: f32, local: u32) -> f32 {
    partial[local] = value;
    workgroupBarrier();
    for (var half = ROW_WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (local < half) {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    let total = partial[0];
    workgroupBarrier(); // all have read `partial` before it is overwritten
    return total;
}

fn workgroup_max(value: f32, local: u32) -> f32 {
    partial[local] = value;
    workgroupBarrier();
    for (var half = ROW_WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (local < half) {
            partial[local] = max(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    let largest = partial[0];
    workgroupBarrier();
    return largest;
}
