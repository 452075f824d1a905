// Workgroups of four invocations, all in one subgroup.

const LANES: u32 = 4u;
