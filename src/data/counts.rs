//! The number of occurrences of each pre-token in a text, which is all that BPE training needs.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::blocks::Blocks;
use super::error::DataError;
use super::pretokenize::{Piece, Specials, pretokens};
use crate::threads::on_all_cores;

/// Pre-tokens and their counts.
#[derive(Clone, Debug, Default)]
pub struct PretokenCounts {
    counts: FxHashMap<Box<str>, u64>,
}

impl PretokenCounts {
    /// Counts the pre-tokens of `text` between its special tokens.
    pub fn add(&mut self, text: &str, specials: &Specials) {
        for piece in specials.pieces(text) {
            let Piece::Text(text) = piece else { continue };
            for word in pretokens(text) {
                match self.counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => drop(self.counts.insert(word.into(), 1)),
                }
            }
        }
    }

    /// Counts everything that `reader` reads, on all cores, with a few blocks in memory.
    ///
    /// # Errors
    /// When reading fails or the text is not UTF-8.
    pub fn of_reader(reader: impl Read + Send, specials: &Specials) -> Result<Self, DataError> {
        let blocks = Mutex::new(Blocks::new(reader, specials));
        let next = || blocks.lock().unwrap_or_else(PoisonError::into_inner).next();
        let parts = on_all_cores(|| -> Result<Self, DataError> {
            let mut counts = Self::default();
            while let Some(text) = next() {
                counts.add(&text?, specials);
            }
            Ok(counts)
        });
        let mut all = Self::default();
        for part in parts {
            let part = part?;
            if all.counts.is_empty() {
                all = part;
            } else {
                part.counts.into_iter().for_each(|(word, count)| *all.counts.entry(word).or_default() += count);
            }
        }
        Ok(all)
    }

    /// The number of different pre-tokens.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are no pre-tokens.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Every pre-token with its count, in arbitrary order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(word, &count)| (&**word, count))
    }
}
