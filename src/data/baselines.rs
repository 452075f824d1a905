//! What a model has to beat on held-out tokens: uniform, unigram and bigram cross-entropy.

use rustc_hash::FxHashMap;

use crate::protocol::Baselines;

/// Smoothed counts of single tokens and of pairs, as probability distributions.
pub struct Bigram {
    unigram: Vec<f64>,
    pairs: FxHashMap<(u32, u32), u32>,
    /// How often each token has a successor, and how many different ones.
    contexts: Vec<(u32, u32)>,
}

impl Bigram {
    /// Counts `tokens`, whose ids are below `vocab_size`.
    pub fn count(tokens: &[u32], vocab_size: usize) -> Self {
        let mut counts = vec![1u64; vocab_size];
        tokens.iter().for_each(|&token| counts[token as usize] += 1);
        let total: u64 = counts.iter().sum();
        let unigram = counts.into_iter().map(|count| count as f64 / total as f64).collect();
        let mut pairs: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        let mut contexts = vec![(0, 0); vocab_size];
        for pair in tokens.windows(2) {
            let count = pairs.entry((pair[0], pair[1])).or_default();
            let (followed, kinds) = &mut contexts[pair[0] as usize];
            *kinds += u32::from(*count == 0);
            *followed += 1;
            *count += 1;
        }
        Self { unigram, pairs, contexts }
    }

    /// (count + 1) / (N + V): add-one smoothing.
    pub fn unigram(&self, token: u32) -> f64 {
        self.unigram[token as usize]
    }

    /// Witten & Bell's interpolation (1991): after a token that was followed n times by k different ones, the pair's
    /// own frequency gets the weight n / (n + k), the unigram the rest.
    pub fn bigram(&self, before: u32, token: u32) -> f64 {
        let (followed, kinds) = self.contexts[before as usize];
        if followed == 0 {
            return self.unigram(token);
        }
        let count = self.pairs.get(&(before, token)).copied().unwrap_or(0);
        (f64::from(count) + f64::from(kinds) * self.unigram(token)) / f64::from(followed + kinds)
    }
}

/// Cross-entropies on `val`, in nats per token, of models counted on `train`. Each token of `val` but the first is
/// predicted, from the one before it.
pub fn baselines(train: &[u32], val: &[u32], vocab_size: usize) -> Baselines {
    let counted = Bigram::count(train, vocab_size);
    let mean = |nats: &dyn Fn(u32, u32) -> f64| {
        let sum: f64 = val.windows(2).map(|pair| -nats(pair[0], pair[1]).ln()).sum();
        sum / (val.len().max(2) - 1) as f64
    };
    Baselines {
        uniform: (vocab_size as f64).ln(),
        unigram: mean(&|_, token| counted.unigram(token)),
        bigram: mean(&|before, token| counted.bigram(before, token)),
    }
}
