//! Gopher's repetition rules (Rae et al. 2021, table A1).
//!
//! Equal n-grams are found by polynomial hashes modulo 2⁶¹ − 1 of the joined words, so an n-gram costs the same for any n.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::Sheet;
use crate::chars::{count, trim};
use crate::text::Text;

/// Limits of the rules; shares of characters are relative to the whole text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repetition {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Maximum share of lines that occurred before.
    pub max_duplicate_lines: f64,
    /// Maximum share of paragraphs that occurred before.
    pub max_duplicate_paragraphs: f64,
    /// Maximum share of characters in lines that occurred before.
    pub max_duplicate_line_characters: f64,
    /// Maximum share of characters in paragraphs that occurred before.
    pub max_duplicate_paragraph_characters: f64,
    /// Maximum share of characters in the most frequent 2-, 3- and 4-gram.
    pub max_top_ngram: [f64; 3],
    /// Maximum share of characters in 5- to 10-grams that occurred before.
    pub max_duplicate_ngrams: [f64; 6],
}

impl Default for Repetition {
    fn default() -> Self {
        Self {
            enabled: true,
            max_duplicate_lines: 0.3,
            max_duplicate_paragraphs: 0.3,
            max_duplicate_line_characters: 0.2,
            max_duplicate_paragraph_characters: 0.2,
            max_top_ngram: [0.2, 0.18, 0.16],
            max_duplicate_ngrams: [0.15, 0.14, 0.13, 0.12, 0.11, 0.10],
        }
    }
}

pub(super) const TOP: [&str; 3] = ["top_2_gram", "top_3_gram", "top_4_gram"];
pub(super) const DUPLICATED: [&str; 6] = [
    "duplicated_5_n_grams",
    "duplicated_6_n_grams",
    "duplicated_7_n_grams",
    "duplicated_8_n_grams",
    "duplicated_9_n_grams",
    "duplicated_10_n_grams",
];

/// Measures a text.
pub fn repetition(text: &Text<'_>, limits: &Repetition, sheet: &mut Sheet) {
    let n_chars = text.n_chars as f64;
    let paragraphs = split_runs(trim(text.text), 2);
    let (n, chars) = duplicates(&paragraphs);
    if sheet.max("dup_para_frac", n / paragraphs.len() as f64, limits.max_duplicate_paragraphs)
        || sheet.max("dup_para_char_frac", chars / n_chars, limits.max_duplicate_paragraph_characters)
    {
        return;
    }
    let lines = split_runs(text.text, 1);
    let (n, chars) = duplicates(&lines);
    if sheet.max("dup_line_frac", n / lines.len() as f64, limits.max_duplicate_lines)
        || sheet.max("dup_line_char_frac", chars / n_chars, limits.max_duplicate_line_characters)
    {
        return;
    }
    let grams = Grams::new(text.words());
    for (at, n) in (2..=4).enumerate() {
        // Texts of fewer words have no such n-gram.
        if text.words().len() >= n && sheet.max(TOP[at], grams.top(n).1 / n_chars, limits.max_top_ngram[at]) {
            return;
        }
    }
    for (at, n) in (5..=10).enumerate() {
        if sheet.max(DUPLICATED[at], grams.duplicated(n, |_| ()) / n_chars, limits.max_duplicate_ngrams[at]) {
            return;
        }
    }
}

/// The parts of a text between runs of at least `min` line feeds.
pub(super) fn split_runs(text: &str, min: usize) -> Vec<&str> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = text[at..].find('\n') {
        let begin = at + found;
        let run = text[begin..].len() - text[begin..].trim_start_matches('\n').len();
        at = begin + run;
        if run >= min {
            parts.push(&text[start..begin]);
            start = at;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The number of parts that occurred before, and their characters.
pub(super) fn duplicates(parts: &[&str]) -> (f64, f64) {
    let mut seen = FxHashSet::default();
    let repeated = parts.iter().filter(|part| !seen.insert(**part));
    let (n, chars) = repeated.fold((0, 0), |(n, chars), part| (n + 1, chars + count(part)));
    (n as f64, chars as f64)
}

const MODULUS: u64 = (1 << 61) - 1;
const BASE: u64 = 0x1b87_3593_9e37_79b9 % MODULUS;

fn product(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    let sum = (wide as u64 & MODULUS) + (wide >> 61) as u64;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

fn sum(a: u64, b: u64) -> u64 {
    let sum = a + b;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

/// Hashes of all n-grams of a text.
pub(super) struct Grams {
    /// The sums of `byte · base^position` over the first i words, joined without spaces.
    sums: Vec<u64>,
    /// The base to the power of the number of bytes from the i-th word to the end, which makes the hash of an n-gram
    /// independent of its position.
    shifts: Vec<u64>,
    /// The number of characters of the first i words.
    chars: Vec<usize>,
}

impl Grams {
    pub(super) fn new(words: &[&str]) -> Self {
        let n = words.len() + 1;
        let (mut sums, mut chars, mut shifts) = (Vec::with_capacity(n), Vec::with_capacity(n), vec![1; n]);
        let (mut total, mut power, mut n_chars) = (0, 1, 0);
        for word in std::iter::once(&"").chain(words) {
            for &byte in word.as_bytes() {
                total = sum(total, product(power, u64::from(byte) + 1));
                power = product(power, BASE);
            }
            n_chars += count(word);
            sums.push(total);
            chars.push(n_chars);
        }
        for at in (0..words.len()).rev() {
            shifts[at] = words[at].bytes().fold(shifts[at + 1], |shift, _| product(shift, BASE));
        }
        Self { sums, shifts, chars }
    }

    fn n_words(&self) -> usize {
        self.sums.len() - 1
    }

    /// The position and length in characters of the most frequent n-gram, repeated as often as it occurs; of several, the
    /// first one. Spaces between words count.
    pub(super) fn top(&self, n: usize) -> (usize, f64) {
        let mut counts: FxHashMap<u64, (u32, u32)> = FxHashMap::default();
        for (at, hash) in self.rolling(n) {
            counts.entry(hash).or_insert((0, at as u32)).0 += 1;
        }
        let top = counts.values().max_by_key(|(count, first)| (*count, std::cmp::Reverse(*first)));
        let Some(&(count, first)) = top else { return (0, 0.0) };
        let first = first as usize;
        let length = self.chars[first + n] - self.chars[first] + n - 1;
        (first, length as f64 * f64::from(count))
    }

    /// The characters of n-grams that occurred before; `found` receives the position of each.
    pub(super) fn duplicated(&self, n: usize, mut found: impl FnMut(usize)) -> f64 {
        let (mut seen, mut chars, mut next) = (FxHashSet::default(), 0, 0);
        for (at, hash) in self.rolling(n) {
            if at < next {
                continue;
            }
            if seen.insert(hash) {
                next = at + 1;
            } else {
                chars += self.chars[at + n] - self.chars[at];
                next = at + n;
                found(at);
            }
        }
        chars as f64
    }

    /// The hash of every n-gram.
    fn rolling(&self, n: usize) -> impl Iterator<Item = (usize, u64)> + '_ {
        (0..(self.n_words() + 1).saturating_sub(n)).map(move |at| {
            let difference = sum(self.sums[at + n], MODULUS - self.sums[at]);
            (at, product(difference, self.shifts[at]))
        })
    }
}
