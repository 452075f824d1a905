//! Scores of heads that are known to form, measured on short sequences of random tokens that come twice each: nothing
//! but the repetition tells what comes next, so that a score says what a head does and not what the text is like.

use crate::protocol::inspect::Scores;
use crate::rng::Rng;

/// There are at most so many different tokens.
const MAX_TOKENS: usize = 32;

/// So many come before they come again. Heads with rotary positions prefer distances that their training text had: one
/// that repeats words of a dozen letters finds nothing 32 tokens back.
const BLOCK: usize = 8;

/// With fewer different tokens in a block, scores would be chance.
const MIN_TOKENS: usize = 4;

/// Draws the sequence; always the same one for the same tokens.
const SEED: u64 = 77;

/// Blocks of eight different tokens of `known` in random order, every block twice: as many as the context holds, and at
/// most 2 · 32 tokens in all. Where a context or a text is too small for eight, the one block is shorter.
///
/// # Errors
/// A sentence when there are too few of them, or the context is too short.
pub fn measuring_sequence(known: &[u32], context_length: usize) -> Result<Vec<u32>, String> {
    let mut tokens = known.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    let len = MAX_TOKENS.min(context_length / 2).min(tokens.len());
    if context_length / 2 < MIN_TOKENS {
        return Err(format!(
            "Heads are scored on {MIN_TOKENS} or more random tokens that come twice, and a context of \
             {context_length} has no room for them; take a context_length of {} or more.",
            2 * MIN_TOKENS
        ));
    }
    if len < MIN_TOKENS {
        return Err(format!(
            "Heads are scored on {MIN_TOKENS} or more different tokens that come twice, and this text has only {}; \
             take a larger text.",
            tokens.len()
        ));
    }
    let mut rng = Rng::new(SEED);
    let drawn: Vec<u32> = (0..len).map(|_| tokens.swap_remove(rng.below(tokens.len() as u32) as usize)).collect();
    Ok(drawn.chunks_exact(BLOCK.min(len)).flat_map(|block| [block, block]).flatten().copied().collect())
}

/// The scores of one head on `tokens` (n): `weight(query, key)` is its attention. A score is the mean over the queries
/// that it makes sense for, 0 when there is none:
///
/// - previous token: the weight on the position before, for every position but the first;
/// - sink: the weight on the first position, for every other one;
/// - same token: the weights on all earlier occurrences of the query's token, for every query that has any;
/// - induction: the weights on what came right after those occurrences, for the same queries.
pub fn scores(tokens: &[u32], weight: impl Fn(usize, usize) -> f32) -> Scores {
    let (mut sums, mut counts) = ([0.0; 4], [0u32; 4]);
    let mut add = |kind: usize, value: f32| {
        sums[kind] += value;
        counts[kind] += 1;
    };
    for query in 1..tokens.len() {
        add(0, weight(query, query - 1));
        add(1, weight(query, 0));
        let earlier: Vec<usize> = (0..query).filter(|&at| tokens[at] == tokens[query]).collect();
        if !earlier.is_empty() {
            add(2, earlier.iter().map(|&at| weight(query, at)).sum());
            // Right after the position before the query stands the query itself: to look at itself is no induction.
            add(3, earlier.iter().filter(|&&at| at + 1 < query).map(|&at| weight(query, at + 1)).sum());
        }
    }
    std::array::from_fn(|kind| if counts[kind] == 0 { 0.0 } else { sums[kind] / counts[kind] as f32 })
}

/// The scores of all heads: `maps` are their weights as bytes (L·H, n, n), weight = byte / 255.
pub fn all_scores(tokens: &[u32], maps: &[u8]) -> Vec<Scores> {
    let n = tokens.len();
    let of = |map: &[u8]| scores(tokens, |query, key| f32::from(map[query * n + key]) / 255.0);
    maps.chunks_exact((n * n).max(1)).map(of).collect()
}
