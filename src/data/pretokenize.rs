//! Pre-tokenisation as GPT-2 does it (Radford et al. 2019): special tokens cut the text first, then a pattern cuts what
//! is between them; merges never cross the borders of these pieces.

use std::ops::Range;

use super::characters::{Class, class};
use super::error::DataError;

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
    /// Their indices, the longest first.
    by_length: Vec<usize>,
    /// Which bytes one begins with.
    begins: Vec<bool>,
}

impl Specials {
    /// Special tokens in the order of their indices; a repeated one counts once.
    ///
    /// # Errors
    /// When one is empty.
    pub fn new<S: AsRef<str>>(specials: &[S]) -> Result<Self, DataError> {
        let mut names: Vec<String> = Vec::new();
        for special in specials.iter().map(AsRef::as_ref) {
            if special.is_empty() {
                return Err(DataError::EmptySpecial);
            }
            if !names.iter().any(|name| name == special) {
                names.push(special.to_string());
            }
        }
        let mut by_length: Vec<usize> = (0..names.len()).collect();
        by_length.sort_by_key(|&index| std::cmp::Reverse(names[index].len()));
        let mut begins = vec![false; 256];
        names.iter().filter_map(|name| name.bytes().next()).for_each(|byte| begins[usize::from(byte)] = true);
        Ok(Self { names, by_length, begins })
    }

    /// Where special tokens stand in a text, from left to right, and which; of several at one place the longest.
    fn found(&self, text: &str) -> impl Iterator<Item = (Range<usize>, usize)> {
        let bytes = text.as_bytes();
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                at += bytes.get(at..)?.iter().position(|&byte| self.begins[usize::from(byte)])?;
                let here = |&&index: &&usize| bytes[at..].starts_with(self.names[index].as_bytes());
                match self.by_length.iter().find(here) {
                    Some(&index) => {
                        let start = at;
                        at += self.names[index].len();
                        return Some((start..at, index));
                    }
                    None => at += 1,
                }
            }
        })
    }

    /// The special tokens.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Cuts `text` at special tokens. Where several begin at one place, the longest wins.
    pub fn pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = Piece<'t>> {
        let mut found = self.found(text);
        let (mut at, mut waiting, mut ended) = (0, None, false);
        std::iter::from_fn(move || {
            while waiting.is_none() && !ended {
                let (start, end) = match found.next() {
                    Some((place, index)) => {
                        waiting = Some(Piece::Special(index));
                        (place.start, place.end)
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
        let specials = self.found(text).take_while(|(place, _)| place.start <= certain);
        let behind_special = specials.last().map(|(place, _)| place.end);
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
    let mut left = text;
    std::iter::from_fn(move || {
        let (pretoken, rest) = left.split_at(pretoken_len(left));
        left = rest;
        (!pretoken.is_empty()).then_some(pretoken)
    })
}

/// Length of the pre-token that some text begins with, by GPT-2's pattern
/// `'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`; 0 when there is no text.
fn pretoken_len(text: &str) -> usize {
    match text.as_bytes() {
        [] => return 0,
        [b'\'', b's' | b't' | b'm' | b'd', ..] => return 2,
        [b'\'', b'r' | b'v', b'e', ..] | [b'\'', b'l', b'l', ..] => return 3,
        _ => {}
    }
    // ` ?`: one space goes with what follows, unless that is white space.
    let behind_space = text.strip_prefix(' ').and_then(|rest| rest.chars().next()).map(class);
    let space = usize::from(behind_space.is_some_and(|kind| kind != Class::Space));
    let mut characters = text[space..].char_indices().map(|(at, character)| (space + at, class(character)));
    let kind = characters.next().map(|(_, kind)| kind);
    let mut last = space;
    for (at, next) in characters {
        if Some(next) != kind {
            // `\s+(?!\S)`: white space before something else leaves its last character to that, if it has more than one.
            return if kind == Some(Class::Space) && last > 0 { last } else { at };
        }
        last = at;
    }
    text.len()
}
