//! Pre-tokenisation as GPT-2 does it (Radford et al. 2019): special tokens cut the text first, then a pattern cuts what
//! is between them; merges never cross the borders of these pieces.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;
use rustc_hash::FxHashSet;

use super::error::DataError;

/// Special tokens of more bytes than this together are looked for in the way that takes little memory.
const MOST_DFA_BYTES: usize = 4096;

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

/// A list of special tokens, ready to be found in texts.
#[derive(Clone, Debug)]
pub struct Specials {
    names: Vec<String>,
    automaton: AhoCorasick,
}

impl Specials {
    /// Special tokens in the order of their indices; a repeated one counts once.
    ///
    /// # Errors
    /// When one is empty.
    pub fn new<S: AsRef<str>>(specials: &[S]) -> Result<Self, DataError> {
        let mut names: Vec<String> = Vec::new();
        let mut known = FxHashSet::default();
        for special in specials.iter().map(AsRef::as_ref) {
            if special.is_empty() {
                return Err(DataError::EmptySpecial);
            }
            if known.insert(special) {
                names.push(special.to_string());
            }
        }
        // The fastest kind takes up to a kilobyte for every byte of the names.
        let long = names.iter().map(String::len).sum::<usize>() > MOST_DFA_BYTES;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(long.then_some(AhoCorasickKind::ContiguousNFA))
            .build(&names)
            .map_err(|error| DataError::Tokenizer(error.to_string()))?;
        Ok(Self { names, automaton })
    }

    /// The special tokens.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Cuts `text` at special tokens. Where several begin at one place, the longest wins.
    pub fn pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = Piece<'t>> {
        let mut found = self.automaton.find_iter(text);
        let (mut at, mut waiting, mut ended) = (0, None, false);
        std::iter::from_fn(move || {
            while waiting.is_none() && !ended {
                let (start, end) = match found.next() {
                    Some(special) => {
                        waiting = Some(Piece::Special(special.pattern().as_usize()));
                        (special.start(), special.end())
                    }
                    None => {
                        ended = true;
                        (text.len(), text.len())
                    }
                };
                let before = &text[at..start];
                at = end;
                if !before.is_empty() {
                    return Some(Piece::Text(before));
                }
            }
            waiting.take()
        })
    }

    /// The last place in `text` at which more text may follow without changing how the part before it, or the part
    /// behind it, is cut; none when there is no such place.
    ///
    /// It is behind a special token, or before white space that follows something else: no pre-token has white space
    /// behind other characters, and only white space looks at what comes after it.
    pub fn safe_border(&self, text: &str) -> Option<usize> {
        // A special token that begins later may not be complete yet.
        let longest = self.names.iter().map(String::len).max().unwrap_or(0);
        let certain = text.floor_char_boundary(text.len().checked_sub(longest)?);
        let specials = self.automaton.find_iter(text).take_while(|special| special.start() <= certain);
        let behind_special = specials.last().map(|special| special.end());
        let from = behind_special.unwrap_or(0);
        let plain = text.get(from..certain).unwrap_or("");
        let mut next_is_space = text[certain.max(from)..].starts_with(char::is_whitespace);
        for (at, character) in plain.char_indices().rev() {
            if next_is_space && !character.is_whitespace() {
                return Some(from + at + character.len_utf8());
            }
            next_is_space = character.is_whitespace();
        }
        behind_special
    }
}

/// The pre-tokens of ordinary text, in order; together they are the text.
pub fn pretokens(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        if start == text.len() {
            return None;
        }
        at = ascii_end(text.as_bytes(), start).or_else(|| pattern_end(text, start))?;
        Some(&text[start..at])
    })
}

/// Where the pre-token ends that begins at `start`.
fn pattern_end(text: &str, start: usize) -> Option<usize> {
    let found = PATTERN.find_at(text, start)?;
    // `\s+(?!\S)`: white space before something else leaves its last character to that, if it has more than one.
    let last = found.as_str().chars().next_back()?;
    let leaves_last = last.is_whitespace() && found.end() < text.len() && found.len() > last.len_utf8();
    Some(found.end() - if leaves_last { last.len_utf8() } else { 0 })
}

/// What the pattern tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
    /// Not ASCII; the pattern has to look at it.
    Unknown,
}

fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
        b'0'..=b'9' => Class::Number,
        b'\t'..=b'\r' | b' ' => Class::Space,
        0x80.. => Class::Unknown,
        _ => Class::Other,
    }
}

/// As [`pattern_end`], several times as fast; none where it would have to look at a character that is not ASCII.
fn ascii_end(text: &[u8], start: usize) -> Option<usize> {
    let rest = &text[start..];
    match rest {
        [b'\'', b's' | b't' | b'm' | b'd', ..] => return Some(start + 2),
        [b'\'', b'r' | b'v', b'e', ..] | [b'\'', b'l', b'l', ..] => return Some(start + 3),
        _ => {}
    }
    // ` ?`: one space goes with what follows, unless that is white space.
    let space = usize::from(rest.len() > 1 && rest[0] == b' ' && class(rest[1]) != Class::Space);
    let kind = class(rest[space]);
    let len = rest[space..].iter().position(|&byte| class(byte) != kind).map(|len| space + len);
    match (kind, len) {
        (Class::Unknown, _) => None,
        (_, None) => Some(text.len()),
        (_, Some(len)) if class(rest[len]) == Class::Unknown => None,
        (Class::Space, Some(len)) if len > 1 => Some(start + len - 1),
        (_, Some(len)) => Some(start + len),
    }
}
