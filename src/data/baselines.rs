//! Reference losses on held-out tokens: uniform, unigram and bigram cross-entropy.

use rustc_hash::FxHashMap;

use crate::types::Baselines;

/// Smoothed unigram and bigram counts as probability distributions.
pub struct Bigram {
    unigram: Vec<f64>,
    pairs: FxHashMap<(u32, u32), u32>,
    /// Per token: the number of its successors, and of its different successors.
    contexts: Vec<(u32, u32)>,
}

/// Counts tokens block by block.
pub struct BigramCounter {
    counts: Vec<u64>,
    pairs: FxHashMap<(u32, u32), u32>,
    contexts: Vec<(u32, u32)>,
    before: Option<u32>,
}

impl BigramCounter {
    /// A counter for ids below `vocab_size`.
    pub fn new(vocab_size: usize) -> Self {
        let pairs = FxHashMap::default();
        Self { counts: vec![1; vocab_size], pairs, contexts: vec![(0, 0); vocab_size], before: None }
    }

    /// Adds the next tokens. Their ids must be below V.
    pub fn add(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.counts[token as usize] += 1;
            if let Some(before) = self.before.replace(token) {
                let count = self.pairs.entry((before, token)).or_default();
                let (followed, kinds) = &mut self.contexts[before as usize];
                // Counts of a pair saturate at 32 bits, where one more no longer changes the frequency.
                *kinds += u32::from(*count == 0);
                *followed = followed.saturating_add(1);
                *count = count.saturating_add(1);
            }
        }
    }

    /// The distributions of the tokens counted so far.
    pub fn finish(self) -> Bigram {
        let total: u64 = self.counts.iter().sum();
        let unigram = self.counts.into_iter().map(|count| count as f64 / total as f64).collect();
        Bigram { unigram, pairs: self.pairs, contexts: self.contexts }
    }
}

impl Bigram {
    /// Counts `tokens`. Their ids must be below `vocab_size`.
    pub fn count(tokens: &[u32], vocab_size: usize) -> Self {
        let mut counter = BigramCounter::new(vocab_size);
        counter.add(tokens);
        counter.finish()
    }

    /// (count + 1) / (N + V): add-one smoothing.
    pub fn unigram(&self, token: u32) -> f64 {
        self.unigram[token as usize]
    }

    /// Witten & Bell's interpolation (1991): after a token with n successors, k of them different, the pair's own
    /// frequency gets the weight n / (n + k), the unigram probability the rest.
    pub fn bigram(&self, before: u32, token: u32) -> f64 {
        let (followed, kinds) = self.contexts[before as usize];
        if followed == 0 {
            return self.unigram(token);
        }
        let count = self.pairs.get(&(before, token)).copied().unwrap_or(0);
        (f64::from(count) + f64::from(kinds) * self.unigram(token)) / (f64::from(followed) + f64::from(kinds))
    }

    /// Cross-entropies on `val`, in nats per token. Every token of `val` except the first is predicted from its
    /// predecessor.
    pub fn baselines(&self, val: &[u32]) -> Baselines {
        let mean = |probability: &dyn Fn(u32, u32) -> f64| {
            let sum: f64 = val.windows(2).map(|pair| -probability(pair[0], pair[1]).ln()).sum();
            sum / (val.len().max(2) - 1) as f64
        };
        Baselines {
            uniform: (self.unigram.len() as f64).ln(),
            unigram: mean(&|_, token| self.unigram(token)),
            bigram: mean(&|before, token| self.bigram(before, token)),
        }
    }
}

/// Cross-entropies on `val` of models counted on `train`, in nats per token.
pub fn baselines(train: &[u32], val: &[u32], vocab_size: usize) -> Baselines {
    Bigram::count(train, vocab_size).baselines(val)
}
