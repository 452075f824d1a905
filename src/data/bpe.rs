//! Training of a byte-level BPE vocabulary (Sennrich et al. 2016; bytes as in GPT-2). The most frequent pair is merged
//! repeatedly; ties go to the lexicographically greater pair of byte strings.
//!
//! Counts are updated incrementally. Every different pre-token is a linked list of symbols, and each pair stores its
//! positions, so a merge visits only those. The heap may contain outdated, higher counts; such an entry is pushed again
//! with its current count when it is popped.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::counts::PretokenCounts;
use super::error::DataError;
use super::pretokenize::Specials;

/// A trained vocabulary. Ids: special tokens, then the 256 bytes, then one token per merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// Special tokens, in the order of their ids, from 0.
    pub specials: Vec<String>,
    /// The merged pairs of ids, in order.
    pub merges: Vec<(u32, u32)>,
    /// The bytes of every token, by id.
    pub tokens: Vec<Vec<u8>>,
}

/// A single merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The merged ids.
    pub pair: (u32, u32),
    /// The number of occurrences of the pair.
    pub count: u64,
    /// The id of the new token.
    pub id: u32,
}

/// Trains a vocabulary of at most `vocab_size` tokens on `text`; it is smaller if no pair is left.
///
/// # Errors
/// When `vocab_size` has no room for the special tokens and the bytes, or a special token is empty.
pub fn train(text: &str, vocab_size: usize, specials: &[&str]) -> Result<Vocabulary, DataError> {
    train_reader(text.as_bytes(), vocab_size, specials)
}

/// Like [`train`], but reads a file of any size in blocks and stores only its different pre-tokens.
///
/// # Errors
/// Same as [`train`], and when the file cannot be read or is not UTF-8.
pub fn train_file(path: &Path, vocab_size: usize, specials: &[&str]) -> Result<Vocabulary, DataError> {
    let file = File::open(path).map_err(DataError::from_read)?;
    train_reader(file, vocab_size, specials)
}

/// Like [`train_file`], on everything that `reader` reads.
///
/// # Errors
/// Same as [`train_file`].
pub fn train_reader(reader: impl Read + Send, vocab_size: usize, specials: &[&str]) -> Result<Vocabulary, DataError> {
    let specials = Specials::new(specials)?;
    check_size(vocab_size, &specials)?; // checked before a long file is read
    let counts = PretokenCounts::of_reader(reader, &specials)?;
    let mut trainer = BpeTrainer::from_counts(&counts, vocab_size, &specials)?;
    drop(counts);
    while trainer.step().is_some() {}
    Ok(trainer.finish())
}

fn check_size(vocab_size: usize, specials: &Specials) -> Result<(), DataError> {
    let specials = specials.names().len();
    let least = specials + 256;
    if vocab_size < least { Err(DataError::VocabularyTooSmall { vocab_size, specials, least }) } else { Ok(()) }
}

type Pair = (u32, u32);

/// The absence of a symbol.
const NONE: u32 = u32::MAX;

/// A symbol of a pre-token.
struct Symbol {
    /// The token; [`NONE`] after it was merged into the previous symbol.
    id: u32,
    /// The index of the pre-token.
    word: u32,
    /// The indices of the previous and the next symbol, or [`NONE`].
    before: u32,
    after: u32,
}

/// A pair's count and the symbols where it begins. Some of these positions may be outdated.
#[derive(Default)]
struct PairEntry {
    count: u64,
    places: Vec<u32>,
}

/// A pair with its count when it was pushed, ordered by merge priority.
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

/// Trains a vocabulary merge by merge. Dropping it cancels training.
pub struct BpeTrainer {
    specials: Vec<String>,
    vocab_size: usize,
    tokens: Vec<Rc<[u8]>>,
    merges: Vec<Pair>,
    /// The token for each byte string. If two merges give the same bytes, the first one's token is used for both,
    /// because pairs are pairs of byte strings.
    ids: FxHashMap<Rc<[u8]>, u32>,
    symbols: Vec<Symbol>,
    /// The number of occurrences of each pre-token.
    word_counts: Vec<u64>,
    pairs: FxHashMap<Pair, PairEntry>,
    heap: BinaryHeap<Candidate>,
}

impl BpeTrainer {
    /// Counts the pre-tokens of `text`, for a vocabulary of at most `vocab_size` tokens.
    ///
    /// # Errors
    /// Same as [`train`].
    pub fn new(text: &str, vocab_size: usize, specials: &[&str]) -> Result<Self, DataError> {
        let specials = Specials::new(specials)?;
        Self::from_counts(&PretokenCounts::of_reader(text.as_bytes(), &specials)?, vocab_size, &specials)
    }

    /// Starts with counted pre-tokens, split into bytes.
    ///
    /// # Errors
    /// When `vocab_size` has no room for the special tokens and the bytes, or there are too many different pre-tokens.
    pub fn from_counts(counts: &PretokenCounts, vocab_size: usize, specials: &Specials) -> Result<Self, DataError> {
        check_size(vocab_size, specials)?;
        let first_byte = specials.names().len() as u32;
        let bytes: Vec<Rc<[u8]>> = (0..=255u8).map(|byte| Rc::from([byte])).collect();
        let ids = bytes.iter().zip(first_byte..).map(|(bytes, id)| (bytes.clone(), id)).collect();
        let tokens = specials.names().iter().map(|special| Rc::from(special.as_bytes())).chain(bytes).collect();
        let mut trainer = Self {
            specials: specials.names().to_vec(),
            vocab_size,
            tokens,
            merges: Vec::new(),
            ids,
            symbols: Vec::new(),
            word_counts: Vec::new(),
            pairs: FxHashMap::default(),
            heap: BinaryHeap::new(),
        };
        counts.iter().try_for_each(|(word, count)| trainer.add_word(word, count))?;
        let pairs: Vec<Pair> = trainer.pairs.keys().copied().collect();
        pairs.into_iter().for_each(|pair| trainer.push(pair));
        Ok(trainer)
    }

    fn add_word(&mut self, word: &str, count: u64) -> Result<(), DataError> {
        let first = self.symbols.len();
        if first + word.len() >= NONE as usize {
            return Err(DataError::TooManyWords);
        }
        let first_byte = self.specials.len() as u32;
        let last = first + word.len() - 1;
        for (at, byte) in (first..).zip(word.bytes()) {
            self.symbols.push(Symbol {
                id: first_byte + u32::from(byte),
                word: self.word_counts.len() as u32,
                before: if at > first { at as u32 - 1 } else { NONE },
                after: if at < last { at as u32 + 1 } else { NONE },
            });
        }
        self.word_counts.push(count);
        for at in first..last {
            let entry = self.pairs.entry((self.symbols[at].id, self.symbols[at + 1].id)).or_default();
            entry.count += count;
            entry.places.push(at as u32);
        }
        Ok(())
    }

    /// The maximum number of remaining merges.
    pub fn n_merges_left(&self) -> usize {
        self.vocab_size - self.tokens.len()
    }

    /// Merges the most frequent pair; `None` if the vocabulary is full or no pair is left.
    pub fn step(&mut self) -> Option<Merge> {
        if self.n_merges_left() == 0 {
            return None;
        }
        let (pair, count) = self.most_frequent()?;
        self.merge(pair);
        Some(Merge { pair, count, id: self.tokens.len() as u32 - 1 })
    }

    /// The bytes of both tokens of a pair.
    pub fn pair_bytes(&self, pair: (u32, u32)) -> (&[u8], &[u8]) {
        (&self.tokens[pair.0 as usize], &self.tokens[pair.1 as usize])
    }

    /// The vocabulary trained so far.
    pub fn finish(self) -> Vocabulary {
        let tokens = self.tokens.iter().map(|bytes| bytes.to_vec()).collect();
        Vocabulary { specials: self.specials, merges: self.merges, tokens }
    }

    /// Pushes a pair with its current count onto the heap.
    fn push(&mut self, pair: Pair) {
        if let Some(entry) = self.pairs.get(&pair) {
            let bytes = (self.tokens[pair.0 as usize].clone(), self.tokens[pair.1 as usize].clone());
            self.heap.push(Candidate { count: entry.count, bytes, pair });
        }
    }

    fn most_frequent(&mut self) -> Option<(Pair, u64)> {
        loop {
            let Candidate { count, pair, .. } = self.heap.pop()?;
            let now = self.pairs.get(&pair).map_or(0, |entry| entry.count);
            match now.cmp(&count) {
                Ordering::Equal => return Some((pair, count)),
                Ordering::Less => self.push(pair),
                Ordering::Greater => {} // it was pushed again when it grew
            }
        }
    }

    /// Replaces `pair` with a new token everywhere, from left to right in every pre-token.
    fn merge(&mut self, pair: Pair) {
        let bytes: Rc<[u8]> = [&*self.tokens[pair.0 as usize], &*self.tokens[pair.1 as usize]].concat().into();
        let id = self.tokens.len() as u32;
        self.tokens.push(bytes.clone());
        self.merges.push(pair);
        let id = *self.ids.entry(bytes).or_insert(id);
        let Some(PairEntry { mut places, .. }) = self.pairs.remove(&pair) else { return };
        places.sort_unstable();
        let mut grown: FxHashSet<Pair> = FxHashSet::default();
        for at in places {
            self.merge_at(at, pair, id, &mut grown);
        }
        grown.into_iter().for_each(|pair| self.push(pair));
    }

    /// Replaces the pair at symbol `at`, if it is still there.
    fn merge_at(&mut self, at: u32, pair: Pair, id: u32, grown: &mut FxHashSet<Pair>) {
        let Symbol { id: left, word, before, after: right } = self.symbols[at as usize];
        if left != pair.0 || right == NONE || self.symbols[right as usize].id != pair.1 {
            return;
        }
        let count = self.word_counts[word as usize];
        let after = self.symbols[right as usize].after;
        if before != NONE {
            let neighbor = self.symbols[before as usize].id;
            self.lower((neighbor, pair.0), count);
            self.raise((neighbor, id), count, before, grown);
        }
        if after != NONE {
            let neighbor = self.symbols[after as usize].id;
            self.lower((pair.1, neighbor), count);
            self.raise((id, neighbor), count, at, grown);
            self.symbols[after as usize].before = at;
        }
        self.symbols[at as usize].id = id;
        self.symbols[at as usize].after = after;
        self.symbols[right as usize].id = NONE;
    }

    /// Lowers a pair's count. The pair being merged no longer has an entry.
    fn lower(&mut self, pair: Pair, count: u64) {
        if let Some(entry) = self.pairs.get_mut(&pair) {
            entry.count -= count;
            if entry.count == 0 {
                self.pairs.remove(&pair);
            }
        }
    }

    fn raise(&mut self, pair: Pair, count: u64, at: u32, grown: &mut FxHashSet<Pair>) {
        let entry = self.pairs.entry(pair).or_default();
        entry.count += count;
        entry.places.push(at);
        grown.insert(pair);
    }
}
