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

/// Counts while tokens come, block by block.
pub struct BigramCounter {
    counts: Vec<u64>,
    pairs: FxHashMap<(u32, u32), u32>,
    contexts: Vec<(u32, u32)>,
    before: Option<u32>,
}

impl BigramCounter {
    /// Has counted nothing yet.
    pub fn new(vocab_size: usize) -> Self {
        let pairs = FxHashMap::default();
        Self { counts: vec![1; vocab_size], pairs, contexts: vec![(0, 0); vocab_size], before: None }
    }

    /// Counts the next tokens, whose ids are below V.
    pub fn add(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.counts[token as usize] += 1;
            if let Some(before) = self.before.replace(token) {
                let count = self.pairs.entry((before, token)).or_default();
                let (followed, kinds) = &mut self.contexts[before as usize];
                // Where there are more than 32 bits count, they are all the same to the frequencies.
                *kinds += u32::from(*count == 0);
                *followed = followed.saturating_add(1);
                *count = count.saturating_add(1);
            }
        }
    }

    /// The distributions that the counts give.
    pub fn finish(self) -> Bigram {
        let total: u64 = self.counts.iter().sum();
        let unigram = self.counts.into_iter().map(|count| count as f64 / total as f64).collect();
        Bigram { unigram, pairs: self.pairs, contexts: self.contexts }
    }
}

impl Bigram {
    /// Counts `tokens`, whose ids are below `vocab_size`.
    pub fn count(tokens: &[u32], vocab_size: usize) -> Self {
        let mut counter = BigramCounter::new(vocab_size);
        counter.add(tokens);
        counter.finish()
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
        (f64::from(count) + f64::from(kinds) * self.unigram(token)) / (f64::from(followed) + f64::from(kinds))
    }

    /// Cross-entropies on `val`, in nats per token. Each token of `val` but the first is predicted, from the one before
    /// it.
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

/// Cross-entropies on `val` of models counted on `train`.
pub fn baselines(train: &[u32], val: &[u32], vocab_size: usize) -> Baselines {
    Bigram::count(train, vocab_size).baselines(val)
}
