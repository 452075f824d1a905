// Long lists fold their workgroups from x into y, because WebGPU allows 65,535 in x.

const FLAT_WORKGROUP: u32 = 64u;

// The index of this workgroup, counted through x and y.
fn flat_workgroup(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return workgroup.y * workgroups.x + workgroup.x;
}

// The index of this invocation. The caller compares it with the length of its list.
fn flat_index(workgroup: vec3<u32>, workgroups: vec3<u32>, local: u32) -> u32 {
    return flat_workgroup(workgroup, workgroups) * FLAT_WORKGROUP + local;
}
