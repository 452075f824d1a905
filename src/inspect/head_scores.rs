//! Scores for known kinds of attention heads, measured on short sequences of random tokens in which each block is repeated.
//! Only the repetition predicts the next token, so that the scores depend on the head and not on the text.

use thiserror::Error;

use crate::rng::Rng;
use crate::types::inspect::Scores;

/// Why heads cannot be scored.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SequenceError {
    /// The context is too short.
    #[error(
        "Heads are scored on {MIN_TOKENS} or more random tokens that come twice, and a context of {context_length} has no \
         room for them; take a context_length of {} or more.", 2 * MIN_TOKENS
    )]
    ShortContext {
        /// The context length.
        context_length: usize,
    },
    /// The text has too few different tokens.
    #[error(
        "Heads are scored on {MIN_TOKENS} or more different tokens that come twice, and this text has only {n_tokens}; \
         take a larger text."
    )]
    FewTokens {
        /// The number of different tokens.
        n_tokens: usize,
    },
}

/// Maximum number of different tokens.
const MAX_TOKENS: usize = 32;

/// Length of a block before it repeats. Heads with rotary positions prefer the distances in their training text: a head that
/// repeats words of a dozen letters does not find matches 32 tokens back.
const BLOCK: usize = 8;

/// With fewer different tokens in a block, scores would be random.
const MIN_TOKENS: usize = 4;

/// Seed of the sequence, which is therefore always the same for the same tokens.
const SEED: u64 = 77;

/// Blocks of eight different tokens of `known` in random order, every block twice: as many as the context holds, and at most 2
/// · 32 tokens in total. If the context or the text is too small for a block of eight, the sequence is one shorter block.
///
/// # Errors
/// If there are too few tokens, or the context is too short.
pub fn measuring_sequence(known: &[u32], context_length: usize) -> Result<Vec<u32>, SequenceError> {
    let mut tokens = known.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    let len = MAX_TOKENS.min(context_length / 2).min(tokens.len());
    if context_length / 2 < MIN_TOKENS {
        return Err(SequenceError::ShortContext { context_length });
    }
    if len < MIN_TOKENS {
        return Err(SequenceError::FewTokens { n_tokens: tokens.len() });
    }
    let mut rng = Rng::new(SEED);
    let drawn: Vec<u32> = (0..len).map(|_| tokens.swap_remove(rng.below(tokens.len() as u32) as usize)).collect();
    Ok(drawn.chunks_exact(BLOCK.min(len)).flat_map(|block| [block, block]).flatten().copied().collect())
}

/// The scores of one head on `tokens` (n); `weight(query, key)` is its attention weight. A score is the mean over the
/// applicable queries, or 0 without any:
///
/// - previous token: the weight on the previous position, for every position but the first;
/// - sink: the weight on the first position, for every other one;
/// - same token: the weights on all earlier occurrences of the query's token, for every query that has any;
/// - induction: the weights on the positions right after those occurrences, for the same queries.
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
            // The position after the previous one is the query itself: attention to itself is not induction.
            add(3, earlier.iter().filter(|&&at| at + 1 < query).map(|&at| weight(query, at + 1)).sum());
        }
    }
    std::array::from_fn(|kind| if counts[kind] == 0 { 0.0 } else { sums[kind] / counts[kind] as f32 })
}

/// The scores of all heads; `maps` are their weights as bytes (L·H, n, n), weight = byte / 255.
pub fn all_scores(tokens: &[u32], maps: &[u8]) -> Vec<Scores> {
    let n = tokens.len();
    let of = |map: &[u8]| scores(tokens, |query, key| f32::from(map[query * n + key]) / 255.0);
    maps.chunks_exact((n * n).max(1)).map(of).collect()
}
