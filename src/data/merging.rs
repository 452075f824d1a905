//! Byte-level BPE inside a pre-token (Sennrich et al. 2016): of all neighbours that some merge unites, those whose merge
//! came first in training are united, the leftmost of equals first, until none are left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::error::DataError;
use super::tokenizer::{library, missing_merge, spell};

/// No token, no neighbour.
const NONE: u32 = u32::MAX;

/// What a pair of tokens becomes.
#[derive(Clone, Copy)]
struct Merge {
    /// How many merges come before it.
    rank: u32,
    /// The token of both.
    id: u32,
}

/// The merges of a vocabulary.
pub(super) struct Merging {
    /// The token of each byte, or [`NONE`].
    bytes: [u32; 256],
    pairs: FxHashMap<(u32, u32), Merge>,
}

/// A token where it stands in a pre-token.
struct Symbol {
    /// [`NONE`] when it was merged into the one before it.
    id: u32,
    /// The symbols around it, or [`NONE`].
    before: u32,
    after: u32,
}

impl Merging {
    /// From the bytes of every token, by id, and the pairs of byte strings that are merged. Where several ids have the
    /// same bytes, the first one counts that is no special token.
    ///
    /// # Errors
    /// When a part of a merge, or what it makes, has no token.
    pub fn new(tokens: &[Vec<u8>], merges: &[(Vec<u8>, Vec<u8>)], special_ids: &[u32]) -> Result<Self, DataError> {
        let ordinary = (0..tokens.len() as u32).filter(|id| !special_ids.contains(id));
        let mut ids: FxHashMap<&[u8], u32> = FxHashMap::default();
        for id in ordinary.chain(special_ids.iter().copied()).filter(|&id| !tokens[id as usize].is_empty()) {
            ids.entry(&tokens[id as usize]).or_insert(id);
        }
        let mut pairs = FxHashMap::default();
        for (rank, (left, right)) in (0..).zip(merges) {
            let part = |bytes: &Vec<u8>| {
                let id = ids.get(bytes.as_slice()).copied();
                id.ok_or_else(|| library(format!("it merges {:?}, and has no token for it", spell(bytes))))
            };
            let both = [left.as_slice(), right].concat();
            let id = ids.get(both.as_slice()).copied();
            let id = id.ok_or_else(|| missing_merge(&spell(left), &spell(right)))?;
            pairs.insert((part(left)?, part(right)?), Merge { rank, id });
        }
        let bytes = std::array::from_fn(|byte| ids.get([byte as u8].as_slice()).copied().unwrap_or(NONE));
        Ok(Self { bytes, pairs })
    }

    /// Appends the ids of a pre-token; bytes without a token are left out.
    pub fn encode(&self, word: &str, out: &mut Vec<u32>) {
        let known = word.bytes().map(|byte| self.bytes[byte as usize]).filter(|&id| id != NONE);
        let neighbours = (0u32..).map(|at| (at.wrapping_sub(1), at + 1));
        let symbol = |(id, (before, after))| Symbol { id, before, after };
        let mut symbols: Vec<Symbol> = known.zip(neighbours).map(symbol).collect();
        if let Some(last) = symbols.last_mut() {
            last.after = NONE;
        }
        let mut waiting = BinaryHeap::new();
        let offer = |symbols: &[Symbol], waiting: &mut BinaryHeap<_>, at: u32| {
            let merge = self.merge(symbols, at);
            waiting.extend(merge.map(|merge| Reverse((merge.rank, at))));
        };
        (0..symbols.len() as u32).for_each(|at| offer(&symbols, &mut waiting, at));
        while let Some(Reverse((rank, at))) = waiting.pop() {
            // One of the two may have become a part of something else meanwhile.
            let Some(merge) = self.merge(&symbols, at).filter(|merge| merge.rank == rank) else { continue };
            let right = symbols[at as usize].after as usize;
            let after = symbols[right].after;
            symbols[right].id = NONE;
            (symbols[at as usize].id, symbols[at as usize].after) = (merge.id, after);
            if let Some(next) = symbols.get_mut(after as usize) {
                next.before = at;
            }
            offer(&symbols, &mut waiting, symbols[at as usize].before);
            offer(&symbols, &mut waiting, at);
        }
        out.extend(symbols.iter().map(|symbol| symbol.id).filter(|&id| id != NONE));
    }

    /// What the symbol at `at` and the one behind it become.
    fn merge(&self, symbols: &[Symbol], at: u32) -> Option<Merge> {
        let left = symbols.get(at as usize)?;
        let right = symbols.get(left.after as usize)?;
        self.pairs.get(&(left.id, right.id)).copied()
    }
}
