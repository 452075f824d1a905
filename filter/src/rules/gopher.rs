//! Gopher's quality rules (Rae et al. 2021, appendix A1.1).

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::Sheet;
use crate::chars::{is_space, is_symbol, lines};
use crate::text::Text;

/// Limits of the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gopher {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Minimum number of words that are not only punctuation.
    pub min_words: f64,
    /// Maximum number of words that are not only punctuation.
    pub max_words: f64,
    /// Minimum mean length of these words, in characters.
    pub min_mean_word_length: f64,
    /// Maximum mean length of these words, in characters.
    pub max_mean_word_length: f64,
    /// Maximum number of `#`, and of ellipses, per word.
    pub max_symbol_ratio: f64,
    /// Maximum share of lines that start with a bullet.
    pub max_bullet_lines: f64,
    /// Maximum share of lines that end in an ellipsis.
    pub max_ellipsis_lines: f64,
    /// Minimum share of words with a letter.
    pub min_alphabetic_words: f64,
    /// Count punctuation marks among these words, as datatrove does. That drops texts with much dialogue.
    pub count_punctuation: bool,
    /// Minimum number of different stop words.
    pub min_stop_words: f64,
}

impl Default for Gopher {
    fn default() -> Self {
        Self {
            enabled: true,
            min_words: 50.0,
            max_words: 100_000.0,
            min_mean_word_length: 3.0,
            max_mean_word_length: 10.0,
            max_symbol_ratio: 0.1,
            max_bullet_lines: 0.9,
            max_ellipsis_lines: 0.3,
            min_alphabetic_words: 0.8,
            count_punctuation: false,
            min_stop_words: 2.0,
        }
    }
}

impl Gopher {
    /// The rules as datatrove counts.
    pub fn datatrove() -> Self {
        Self { count_punctuation: true, ..Self::default() }
    }

    /// The rules of the course's assignment: number and length of words, ellipses and letters.
    pub fn course() -> Self {
        Self { max_symbol_ratio: f64::MAX, max_bullet_lines: 1.0, min_stop_words: 0.0, ..Self::default() }
    }
}

const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// Measures a text.
pub fn gopher(text: &Text<'_>, limits: &Gopher, sheet: &mut Sheet) {
    let words = text.words();
    let n_words = words.len() as f64;
    let (mut n_solid, mut n_chars) = (0usize, 0usize);
    for word in words.iter().filter(|word| !word.chars().all(is_symbol)) {
        n_solid += 1;
        n_chars += crate::chars::count(word);
    }
    let mean = n_chars as f64 / n_solid as f64;
    let n_counted = if limits.count_punctuation { n_words } else { n_solid as f64 };
    let _ = sheet.min("gopher_short_doc", n_solid as f64, limits.min_words)
        || sheet.max("gopher_long_doc", n_solid as f64, limits.max_words)
        || sheet.min("gopher_below_avg_threshold", mean, limits.min_mean_word_length)
        || sheet.max("gopher_above_avg_threshold", mean, limits.max_mean_word_length)
        || sheet.max("gopher_too_many_hashes", occurrences(text.text, "#") / n_words, limits.max_symbol_ratio)
        || sheet.max("gopher_too_many_ellipsis", ellipses(text.text) / n_words, limits.max_symbol_ratio)
        || line_rules(text.text, limits, sheet)
        || sheet.min("gopher_below_alpha_threshold", alphabetic(words) / n_counted, limits.min_alphabetic_words)
        || sheet.min("gopher_enough_stop_words", stop_words(words), limits.min_stop_words);
}

fn occurrences(text: &str, symbol: &str) -> f64 {
    text.matches(symbol).count() as f64
}

fn ellipses(text: &str) -> f64 {
    occurrences(text, "...") + occurrences(text, "…")
}

/// Whether a line starts with a bullet.
pub(super) fn is_bullet(line: &str) -> bool {
    line.trim_start_matches(is_space).starts_with(['•', '-'])
}

/// Whether a line ends in an ellipsis.
pub(super) fn ends_in_ellipsis(line: &str) -> bool {
    let line = line.trim_end_matches(is_space);
    line.ends_with("...") || line.ends_with('…')
}

fn line_rules(text: &str, limits: &Gopher, sheet: &mut Sheet) -> bool {
    let (mut n, mut bullets, mut cut) = (0.0, 0.0, 0.0);
    for line in lines(text) {
        n += 1.0;
        bullets += f64::from(u8::from(is_bullet(line)));
        cut += f64::from(u8::from(ends_in_ellipsis(line)));
    }
    sheet.max("gopher_too_many_bullets", bullets / n, limits.max_bullet_lines)
        || sheet.max("gopher_too_many_end_ellipsis", cut / n, limits.max_ellipsis_lines)
}

fn alphabetic(words: &[&str]) -> f64 {
    words.iter().filter(|word| word.chars().any(char::is_alphabetic)).count() as f64
}

fn stop_words(words: &[&str]) -> f64 {
    let found: FxHashSet<&str> = words.iter().copied().filter(|word| STOP_WORDS.contains(word)).collect();
    found.len() as f64
}
