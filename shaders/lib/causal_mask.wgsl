// The causal mask: a query attends to itself and to earlier positions, never to later ones.
//
//           key 0  1  2  3
//   query 0     ·  ×  ×  ×
//   query 1     ·  ·  ×  ×
//   query 2     ·  ·  ·  ×      × masked
//   query 3     ·  ·  ·  ·

fn is_masked(query: u32, key: u32) -> bool {
    return key > query;
}

// The same mask as loop bounds: keys 0 .. visible_keys_end(query) are visible to `query`,
fn visible_keys_end(query: u32) -> u32 {
    return query + 1u;
}

// and `key` is visible to the queries from visible_queries_start(key) on.
fn visible_queries_start(key: u32) -> u32 {
    return key;
}
