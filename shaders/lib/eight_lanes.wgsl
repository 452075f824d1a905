// As many invocations as share a subgroup of eight, and a workgroup.

const LANES: u32 = 8u;
