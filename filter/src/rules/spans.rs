//! The parts of a text that a rule objects to, for display.

use super::c4::{C4, LineFate, line_fate};
use super::encoding::mojibake;
use super::gopher::{ends_in_ellipsis, is_bullet};
use super::repetition::{DUPLICATED, Grams, TOP, split_runs};
use super::{FineWeb, Phrases};
use crate::chars::{count, is_symbol, is_terminal, lines, trim};
use crate::words::words;
use rustc_hash::FxHashSet;

/// At most this many spans are returned.
const MAX_SPANS: usize = 1000;

/// The byte ranges in `text` that count against a rule, in order; empty for rules about the whole text, such as its
/// length.
pub fn spans(rule: &str, text: &str, c4: &C4, fineweb: &FineWeb, phrases: &Phrases) -> Vec<(usize, usize)> {
    let mut found = match rule {
        "mojibake" => mojibake(text).collect(),
        "listed_phrases" => super::phrases::found(text, &phrases.phrases),
        "gopher_too_many_hashes" => matches(text, &["#"]),
        "gopher_too_many_ellipsis" => matches(text, &["...", "…"]),
        "gopher_too_many_bullets" => of_lines(text, is_bullet),
        "gopher_too_many_end_ellipsis" => of_lines(text, ends_in_ellipsis),
        "gopher_below_alpha_threshold" => {
            of_words(text, |word| !word.chars().any(char::is_alphabetic) && !word.chars().all(is_symbol))
        }
        "gopher_above_avg_threshold" => of_words(text, |word| count(word) > 10),
        "lorem_ipsum" => of_lines(text, |line| line_fate(trim(line), c4) == LineFate::LoremIpsum),
        "curly_bracket" => matches(text, &["{"]),
        "too_few_sentences" => of_lines(text, |line| line_fate(trim(line), c4) == LineFate::Remove),
        "line_punct_ratio" => of_lines(text, |line| !line.ends_with(is_terminal)),
        "short_line_ratio" => of_lines(text, |line| count(line) <= fineweb.short_line),
        "dup_line_frac" | "dup_line_char_frac" | "char_dup_ratio" => repeated(text, split_runs(text, 1)),
        "dup_para_frac" | "dup_para_char_frac" => repeated(text, split_runs(trim(text), 2)),
        _ => ngrams(rule, text),
    };
    found.sort_unstable();
    found.truncate(MAX_SPANS);
    found
}

/// The byte range of a slice of a text.
fn range(text: &str, part: &str) -> (usize, usize) {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    (start, start + part.len())
}

fn matches(text: &str, patterns: &[&str]) -> Vec<(usize, usize)> {
    let one = |pattern| text.match_indices(pattern).map(|(at, found): (usize, &str)| (at, at + found.len()));
    patterns.iter().flat_map(|pattern| one(*pattern)).collect()
}

fn of_lines(text: &str, wrong: impl Fn(&str) -> bool) -> Vec<(usize, usize)> {
    lines(text).filter(|line| !trim(line).is_empty() && wrong(line)).map(|line| range(text, line)).collect()
}

fn of_words(text: &str, wrong: impl Fn(&str) -> bool) -> Vec<(usize, usize)> {
    words(text).into_iter().filter(|word| wrong(word)).map(|word| range(text, word)).collect()
}

fn repeated(text: &str, parts: Vec<&str>) -> Vec<(usize, usize)> {
    let mut seen = FxHashSet::default();
    parts.into_iter().filter(|part| !seen.insert(*part) && !part.is_empty()).map(|part| range(text, part)).collect()
}

fn ngrams(rule: &str, text: &str) -> Vec<(usize, usize)> {
    let words = words(text);
    let span = |at: usize, n: usize| (range(text, words[at]).0, range(text, words[at + n - 1]).1);
    if let Some(at) = TOP.iter().position(|name| *name == rule) {
        let n = at + 2;
        if words.len() < n {
            return Vec::new();
        }
        let (first, _) = Grams::new(&words).top(n);
        let top = &words[first..first + n];
        return (0..=words.len() - n).filter(|&at| &words[at..at + n] == top).map(|at| span(at, n)).collect();
    }
    let Some(n) = DUPLICATED.iter().position(|name| *name == rule).map(|at| at + 5) else { return Vec::new() };
    let mut found = Vec::new();
    Grams::new(&words).duplicated(n, |at| found.push(span(at, n)));
    found
}
