//! The most likely tokens.

use std::cmp::Ordering;

/// Whether token `a` comes before token `b`: by descending logit, then by id.
pub fn order(logits: &[f32], a: u32, b: u32) -> Ordering {
    logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b))
}

/// The ids of the `count` largest logits (V), in [`order`].
pub fn top_k(logits: &[f32], count: usize) -> Vec<u32> {
    let likelier = |&a: &u32, &b: &u32| order(logits, a, b);
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    if (1..ids.len()).contains(&count) {
        ids.select_nth_unstable_by(count - 1, likelier);
    }
    ids.truncate(count);
    ids.sort_unstable_by(likelier);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_are_ordered_by_id() {
        let logits = [1.0, 3.0, -2.0, 3.0, f32::NEG_INFINITY, 3.0];
        assert_eq!(top_k(&logits, 2), [1, 3]);
        assert_eq!(top_k(&logits, 9), [1, 3, 5, 0, 2, 4]);
        assert!(top_k(&logits, 0).is_empty() && top_k(&[], 3).is_empty());
    }
}
