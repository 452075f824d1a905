//! Training of a byte-level BPE vocabulary (Sennrich et al. 2016; bytes as GPT-2): the most frequent pair is merged,
//! again and again; ties go to the lexicographically greater pair of byte strings.
//!
//! Counts are kept, not counted again: a merge touches only the words that hold its pair. The heap may hold outdated
//! counts; an entry is valid when it says what `pairs` says.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::error::DataError;
use super::pretokenize::{Piece, pieces, pretokens};

/// What training finds out. Ids: special tokens, then the 256 bytes, then one token per merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// Special tokens, in the order of their ids from 0.
    pub specials: Vec<String>,
    /// The pairs of ids that were merged, in order.
    pub merges: Vec<(u32, u32)>,
    /// The bytes of every token, by id.
    pub tokens: Vec<Vec<u8>>,
}

type Pair = (u32, u32);

/// A pair with a count that held when it was pushed, ordered as training chooses.
#[derive(PartialEq, Eq)]
struct Candidate {
    count: u64,
    bytes: (Rc<[u8]>, Rc<[u8]>),
    pair: Pair,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.count, &self.bytes, self.pair).cmp(&(other.count, &other.bytes, other.pair))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A pre-token that occurs `count` times, as the tokens it consists of now.
struct Word {
    ids: Vec<u32>,
    count: u64,
}

/// How often a pair stands in the text, and in which words it may stand.
#[derive(Default)]
struct PairEntry {
    count: u64,
    words: FxHashSet<u32>,
}

/// A vocabulary under training, merge by merge.
pub struct BpeTrainer {
    specials: Vec<String>,
    vocab_size: usize,
    merges: Vec<Pair>,
    words: Vec<Word>,
    pairs: FxHashMap<Pair, PairEntry>,
    heap: BinaryHeap<Candidate>,
    tokens: Vec<Rc<[u8]>>,
}

/// One merge, as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The ids that were merged.
    pub pair: Pair,
    /// How often they stood side by side.
    pub count: u64,
    /// The new token.
    pub id: u32,
}

/// Trains a vocabulary of at most `vocab_size` tokens on `text`; it stays smaller when no pair is left.
///
/// # Errors
/// When `vocab_size` has no room for the special tokens and the bytes.
pub fn train(text: &str, vocab_size: usize, specials: &[&str]) -> Result<Vocabulary, DataError> {
    let mut trainer = BpeTrainer::new(text, vocab_size, specials)?;
    while trainer.step().is_some() {}
    Ok(trainer.finish())
}

impl BpeTrainer {
    /// Counts the pre-tokens of `text`, for a vocabulary of at most `vocab_size` tokens.
    ///
    /// # Errors
    /// When `vocab_size` has no room for the special tokens and the bytes.
    pub fn new(text: &str, vocab_size: usize, specials: &[&str]) -> Result<Self, DataError> {
        let least = specials.len() + 256;
        if vocab_size < least {
            return Err(DataError::VocabularyTooSmall { vocab_size, specials: specials.len(), least });
        }
        let mut counts: FxHashMap<&str, u64> = FxHashMap::default();
        for piece in pieces(text, specials) {
            if let Piece::Text(text) = piece {
                pretokens(text).for_each(|word| *counts.entry(word).or_default() += 1);
            }
        }
        let first_byte = specials.len() as u32;
        let words = counts
            .into_iter()
            .map(|(word, count)| Word { ids: word.bytes().map(|b| first_byte + u32::from(b)).collect(), count })
            .collect();
        let bytes = (0..=255u8).map(|byte| Rc::from([byte]));
        let tokens = specials.iter().map(|special| Rc::from(special.as_bytes())).chain(bytes).collect();
        let (pairs, heap, merges) = (FxHashMap::default(), BinaryHeap::new(), Vec::new());
        let specials = specials.iter().map(ToString::to_string).collect();
        let mut trainer = Self { specials, vocab_size, merges, words, pairs, heap, tokens };
        for (index, word) in trainer.words.iter().enumerate() {
            for pair in word.ids.windows(2) {
                let entry = trainer.pairs.entry((pair[0], pair[1])).or_default();
                entry.count += word.count;
                entry.words.insert(index as u32);
            }
        }
        let pairs: Vec<Pair> = trainer.pairs.keys().copied().collect();
        pairs.into_iter().for_each(|pair| trainer.push(pair));
        Ok(trainer)
    }

    /// How many merges there are to come at most.
    pub fn n_merges_left(&self) -> usize {
        self.vocab_size - self.tokens.len()
    }

    /// Merges the most frequent pair; none when the vocabulary is full or no pair is left.
    pub fn step(&mut self) -> Option<Merge> {
        if self.n_merges_left() == 0 {
            return None;
        }
        let (pair, count) = self.most_frequent()?;
        self.merge(pair);
        self.merges.push(pair);
        Some(Merge { pair, count, id: self.tokens.len() as u32 - 1 })
    }

    /// The bytes of both tokens of a pair.
    pub fn pair_bytes(&self, pair: Pair) -> (&[u8], &[u8]) {
        (&self.tokens[pair.0 as usize], &self.tokens[pair.1 as usize])
    }

    /// The vocabulary as far as it was trained.
    pub fn finish(self) -> Vocabulary {
        let tokens = self.tokens.iter().map(|bytes| bytes.to_vec()).collect();
        Vocabulary { specials: self.specials, merges: self.merges, tokens }
    }

    /// Puts a pair with its present count on the heap.
    fn push(&mut self, pair: Pair) {
        let count = self.pairs.get(&pair).map_or(0, |entry| entry.count);
        if count > 0 {
            let bytes = (self.tokens[pair.0 as usize].clone(), self.tokens[pair.1 as usize].clone());
            self.heap.push(Candidate { count, bytes, pair });
        }
    }

    fn most_frequent(&mut self) -> Option<(Pair, u64)> {
        loop {
            let Candidate { count, pair, .. } = self.heap.pop()?;
            if self.pairs.get(&pair).is_some_and(|entry| entry.count == count) {
                return Some((pair, count));
            }
        }
    }

    /// Replaces `pair` by a new token everywhere.
    fn merge(&mut self, pair: Pair) {
        let new = self.tokens.len() as u32;
        let bytes = [&*self.tokens[pair.0 as usize], &*self.tokens[pair.1 as usize]].concat();
        self.tokens.push(bytes.into());
        let Some(entry) = self.pairs.remove(&pair) else { return };
        let mut changed: FxHashSet<Pair> = FxHashSet::default();
        for index in entry.words {
            let word = &mut self.words[index as usize];
            let before = std::mem::take(&mut word.ids);
            word.ids = replaced(&before, pair, new);
            if word.ids.len() == before.len() {
                continue; // an earlier merge took the pair from this word already
            }
            let count = word.count;
            for old in before.windows(2).map(|ids| (ids[0], ids[1])).filter(|&old| old != pair) {
                if let Some(entry) = self.pairs.get_mut(&old) {
                    entry.count -= count;
                    changed.insert(old);
                }
            }
            for now in word.ids.windows(2).map(|ids| (ids[0], ids[1])) {
                let entry = self.pairs.entry(now).or_default();
                entry.count += count;
                entry.words.insert(index);
                changed.insert(now);
            }
        }
        changed.into_iter().for_each(|pair| self.push(pair));
    }
}

/// `ids` with every `pair`, from the left, replaced by `new`.
fn replaced(ids: &[u32], pair: Pair, new: u32) -> Vec<u32> {
    let mut out = Vec::with_capacity(ids.len());
    let mut at = 0;
    while at < ids.len() {
        if at + 1 < ids.len() && (ids[at], ids[at + 1]) == pair {
            out.push(new);
            at += 2;
        } else {
            out.push(ids[at]);
            at += 1;
        }
    }
    out
}
