// Workgroups of eight invocations, all in one subgroup.

const LANES: u32 = 8u;
