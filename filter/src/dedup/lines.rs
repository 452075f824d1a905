//! Exact duplicates of lines: a line that occurs more than once in the corpus is removed everywhere except in the first
//! document that has it, or with all its occurrences.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::chars::trim;
use crate::hash::hash;

/// Which lines count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lines {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Lines shorter than this many bytes, without white space at their ends, are kept.
    pub min_bytes: usize,
    /// A line is removed if it occurs in more than this many places.
    pub max_occurrences: u32,
    /// Keep a repeated line in the first document that has it.
    pub keep_first: bool,
    /// A document that lost lines is dropped if fewer words than this remain.
    pub min_words: usize,
}

impl Default for Lines {
    /// Off, as in FineWeb: of a near copy, only the changed lines would be left, and MinHash would not find it.
    fn default() -> Self {
        Self { enabled: false, min_bytes: 1, max_occurrences: 1, keep_first: true, min_words: 50 }
    }
}

/// The hash of a line, without white space at its ends; `None` if the line does not count.
pub fn line_hash(line: &str, settings: &Lines) -> Option<u64> {
    let line = trim(line);
    (line.len() >= settings.min_bytes.max(1)).then(|| hash(line.as_bytes()))
}

/// The lines that occur too often, by hash, with the number of the first document that has each.
pub type Repeated = FxHashMap<u64, u32>;

/// Counts lines of a corpus in memory.
#[derive(Clone, Debug, Default)]
pub struct LineCounts {
    /// The number of occurrences and the first document.
    counts: FxHashMap<u64, (u32, u32)>,
}

impl LineCounts {
    /// Counts the lines of a document; `document` is its number.
    pub fn add(&mut self, text: &str, document: u32, settings: &Lines) {
        text.split('\n').filter_map(|line| line_hash(line, settings)).for_each(|hash| self.add_hash(hash, document));
    }

    /// Counts a line by its hash.
    pub fn add_hash(&mut self, hash: u64, document: u32) {
        let (count, first) = self.counts.entry(hash).or_insert((0, document));
        *count += 1;
        *first = document.min(*first);
    }

    /// The lines that occur too often.
    pub fn repeated(&self, settings: &Lines) -> impl Iterator<Item = (u64, u32)> + '_ {
        let max = settings.max_occurrences;
        self.counts.iter().filter(move |(_, (count, _))| *count > max).map(|(hash, (_, first))| (*hash, *first))
    }
}

/// The text of a document without the repeated lines, and the number of removed lines.
pub fn remove_lines(text: &str, document: u32, repeated: &Repeated, settings: &Lines) -> (String, usize) {
    let (mut kept, mut removed) = (String::with_capacity(text.len()), 0);
    let goes = |line| {
        let first = line_hash(line, settings).and_then(|hash| repeated.get(&hash));
        first.is_some_and(|&first| !settings.keep_first || first != document)
    };
    for line in text.split('\n') {
        if goes(line) {
            removed += 1;
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.pop();
    (if removed > 0 { trim(&kept).to_string() } else { kept }, removed)
}
