//! Pre-tokenisation as GPT-2 does it (Radford et al. 2019): merges never cross the borders of these pieces.

use std::sync::LazyLock;

use regex::Regex;

/// GPT-2's pattern but for its look-ahead `\s+(?!\S)`, which [`pretokens`] carries out by hand.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";
    // A constant pattern, compiled in every test of this module.
    Regex::new(pattern).expect("the pattern is valid")
});

/// A part of a text that special tokens have cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Ordinary text.
    Text(&'t str),
    /// The special token with this index.
    Special(usize),
}

/// Cuts `text` at special tokens. Where several begin at one place, the longest wins.
pub fn pieces<'t>(text: &'t str, specials: &[&str]) -> Vec<Piece<'t>> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let next = specials
            .iter()
            .enumerate()
            .filter(|(_, special)| !special.is_empty())
            .filter_map(|(index, special)| rest.find(special).map(|at| (at, std::cmp::Reverse(special.len()), index)))
            .min();
        let (before, after) = match next {
            Some((at, len, index)) => (&rest[..at], Some((&rest[at + len.0..], index))),
            None => (rest, None),
        };
        if !before.is_empty() {
            out.push(Piece::Text(before));
        }
        match after {
            Some((after, index)) => {
                out.push(Piece::Special(index));
                rest = after;
            }
            None => return out,
        }
    }
}

/// The pre-tokens of ordinary text, in order; together they are the text.
pub fn pretokens(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let found = PATTERN.find_at(text, at)?;
        let mut end = found.end();
        let piece = found.as_str();
        // `\s+(?!\S)`: white space before something else leaves its last character to that, if it has more than one.
        let last = piece.chars().next_back()?;
        if last.is_whitespace() && end < text.len() && piece.len() > last.len_utf8() {
            end -= last.len_utf8();
        }
        at = end;
        Some(&text[found.start()..end])
    })
}
