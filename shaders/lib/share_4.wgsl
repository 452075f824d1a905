// Four invocations share a row of at most 64 elements; a block has 8 rows.

const SHARE: u32 = 4u;
const BLOCK: u32 = 8u;
