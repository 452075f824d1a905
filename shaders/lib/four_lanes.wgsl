// As many invocations as share a subgroup of four, and a workgroup.

const LANES: u32 = 4u;
