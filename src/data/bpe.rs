//! Training of a byte-level BPE vocabulary (Sennrich et al. 2016; bytes as GPT-2): the most frequent pair is merged,
//! again and again; ties go to the lexicographically greater pair of byte strings.
//!
//! Counts are kept, not counted again. Every different pre-token is a chain of symbols; a pair remembers where it
//! stands, so that a merge touches only those places. The heap may hold counts that have shrunk since; such an entry
//! is put back with its present count when it comes up.

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

/// One merge, as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The ids that were merged.
    pub pair: (u32, u32),
    /// How often they stood side by side.
    pub count: u64,
    /// The new token.
    pub id: u32,
}

/// Trains a vocabulary of at most `vocab_size` tokens on `text`; it stays smaller when no pair is left.
///
/// # Errors
/// When `vocab_size` has no room for the special tokens and the bytes, or a special token is empty.
pub fn train(text: &str, vocab_size: usize, specials: &[&str]) -> Result<Vocabulary, DataError> {
    train_reader(text.as_bytes(), vocab_size, specials)
}

/// As [`train`], on a file of any size: it is read in blocks, and only its different pre-tokens are kept.
///
/// # Errors
/// As [`train`], and when the file cannot be read or is not UTF-8.
pub fn train_file(path: &Path, vocab_size: usize, specials: &[&str]) -> Result<Vocabulary, DataError> {
    let file = File::open(path).map_err(DataError::from_read)?;
    train_reader(file, vocab_size, specials)
}

/// As [`train_file`], on all that `reader` reads.
///
/// # Errors
/// As [`train_file`].
pub fn train_reader(reader: impl Read + Send, vocab_size: usize, specials: &[&str]) -> Result<Vocabulary, DataError> {
    let specials = Specials::new(specials)?;
    check_size(vocab_size, &specials)?; // before a long file is read
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

/// No symbol, no neighbour.
const NONE: u32 = u32::MAX;

/// A token where it stands in a pre-token.
struct Symbol {
    /// The token; [`NONE`] when it was merged into the symbol before it.
    id: u32,
    /// The pre-token.
    word: u32,
    /// The symbols around it, or [`NONE`].
    before: u32,
    after: u32,
}

/// How often a pair stands in the text, and which symbols begin it. Some may not any more.
#[derive(Default)]
struct PairEntry {
    count: u64,
    places: Vec<u32>,
}

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

/// A vocabulary under training, merge by merge; dropping it ends the training.
pub struct BpeTrainer {
    specials: Vec<String>,
    vocab_size: usize,
    tokens: Vec<Rc<[u8]>>,
    merges: Vec<Pair>,
    /// The token that stands for some bytes. Two merges may come to the same bytes; the first one's token stands for
    /// both, because pairs are pairs of byte strings.
    ids: FxHashMap<Rc<[u8]>, u32>,
    symbols: Vec<Symbol>,
    /// How often each pre-token occurs.
    word_counts: Vec<u64>,
    pairs: FxHashMap<Pair, PairEntry>,
    heap: BinaryHeap<Candidate>,
}

impl BpeTrainer {
    /// Counts the pre-tokens of `text`, for a vocabulary of at most `vocab_size` tokens.
    ///
    /// # Errors
    /// As [`train`].
    pub fn new(text: &str, vocab_size: usize, specials: &[&str]) -> Result<Self, DataError> {
        let specials = Specials::new(specials)?;
        Self::from_counts(&PretokenCounts::of_reader(text.as_bytes(), &specials)?, vocab_size, &specials)
    }

    /// Begins with the bytes of pre-tokens that were counted.
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
        Some(Merge { pair, count, id: self.tokens.len() as u32 - 1 })
    }

    /// The bytes of both tokens of a pair.
    pub fn pair_bytes(&self, pair: (u32, u32)) -> (&[u8], &[u8]) {
        (&self.tokens[pair.0 as usize], &self.tokens[pair.1 as usize])
    }

    /// The vocabulary as far as it was trained.
    pub fn finish(self) -> Vocabulary {
        let tokens = self.tokens.iter().map(|bytes| bytes.to_vec()).collect();
        Vocabulary { specials: self.specials, merges: self.merges, tokens }
    }

    /// Puts a pair with its present count on the heap.
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

    /// Replaces `pair` by a new token everywhere, from the left in every pre-token.
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

    /// Replaces the pair that begins at symbol `at`, if it is still there.
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

    /// The pair stands in `count` places less. The pair that is being merged has no entry any more.
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
