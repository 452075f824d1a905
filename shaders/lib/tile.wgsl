// An invocation computes a tile of 4 × 4 results in registers: four accumulators of vec4, one per row, because every
// loaded value then serves four terms. Named vectors, not an array: arrays end up in memory.

// The four indices of a tile from `first`, clamped to 0 .. count. An edge tile repeats its last index instead of
// branching in the inner loop; results computed twice are stored once.
fn tile_indices(first: u32, count: u32) -> vec4<u32> {
    return min(vec4<u32>(first, first + 1u, first + 2u, first + 3u), vec4<u32>(count - 1u));
}
