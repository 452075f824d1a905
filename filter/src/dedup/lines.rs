//! Exact duplicates of lines: every line that occurs more than once in the corpus is removed, with all its occurrences.

use rustc_hash::{FxHashMap, FxHashSet};
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
    /// A document is dropped if fewer words than this remain.
    pub min_words: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self { enabled: true, min_bytes: 1, max_occurrences: 1, min_words: 1 }
    }
}

/// The hash of a line, without white space at its ends; `None` if the line does not count.
pub fn line_hash(line: &str, settings: &Lines) -> Option<u64> {
    let line = trim(line);
    (line.len() >= settings.min_bytes.max(1)).then(|| hash(line.as_bytes()))
}

/// Counts lines of a corpus in memory.
#[derive(Clone, Debug, Default)]
pub struct LineCounts {
    counts: FxHashMap<u64, u32>,
}

impl LineCounts {
    /// Counts the lines of a text.
    pub fn add(&mut self, text: &str, settings: &Lines) {
        text.split('\n').filter_map(|line| line_hash(line, settings)).for_each(|hash| self.add_hash(hash));
    }

    /// Counts a line by its hash.
    pub fn add_hash(&mut self, hash: u64) {
        *self.counts.entry(hash).or_default() += 1;
    }

    /// The hashes of lines that occur too often.
    pub fn repeated(&self, settings: &Lines) -> FxHashSet<u64> {
        self.counts.iter().filter(|(_, count)| **count > settings.max_occurrences).map(|(hash, _)| *hash).collect()
    }
}

/// The text without the repeated lines, and the number of removed lines.
pub fn remove_lines(text: &str, repeated: &FxHashSet<u64>, settings: &Lines) -> (String, usize) {
    let (mut kept, mut removed) = (String::with_capacity(text.len()), 0);
    for line in text.split('\n') {
        if line_hash(line, settings).is_some_and(|hash| repeated.contains(&hash)) {
            removed += 1;
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.pop();
    (if removed > 0 { trim(&kept).to_string() } else { kept }, removed)
}
