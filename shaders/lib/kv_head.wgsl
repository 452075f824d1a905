// Grouped-query attention: adjacent query heads share one KV head.
//
//   n_heads 6, n_kv_heads 2:   query heads 0 1 2 → 0,   3 4 5 → 1

fn kv_head(head: u32, n_heads: u32, n_kv_heads: u32) -> u32 {
    return head / (n_heads / n_kv_heads);
}
