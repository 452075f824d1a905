// Two invocations share a row of at most 32 elements; a block has 16 rows.

const SHARE: u32 = 2u;
const BLOCK: u32 = 16u;
