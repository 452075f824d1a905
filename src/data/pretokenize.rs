//! Pre-tokenisation: special tokens cut the text first, then a pattern cuts what is between them; merges never cross the
//! borders of these pieces.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use rustc_hash::FxHashSet;

use super::cut::Cut;
use super::error::DataError;

/// Special tokens of more bytes than this together are looked for in the way that takes little memory.
const MOST_DFA_BYTES: usize = 4096;

/// A part of a text that special tokens have cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Ordinary text.
    Text(&'t str),
    /// The special token with this index.
    Special(usize),
}

/// A list of special tokens, ready to be found in texts, and how what is between them is cut.
#[derive(Clone, Debug)]
pub struct Specials {
    names: Vec<String>,
    cut: Cut,
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
        Ok(Self { names, cut: Cut::Gpt2, automaton })
    }

    /// The same with another way of cutting than GPT-2's.
    #[must_use]
    pub fn with_cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    /// How texts are cut.
    pub fn cut(&self) -> Cut {
        self.cut
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
    /// behind other characters, line ends behind punctuation aside, and only white space looks at what comes after it.
    pub fn safe_border(&self, text: &str) -> Option<usize> {
        // A special token that begins later may not be complete yet.
        let longest = self.names.iter().map(String::len).max().unwrap_or(0);
        let certain = text.floor_char_boundary(text.len().checked_sub(longest)?);
        let specials = self.automaton.find_iter(text).take_while(|special| special.start() <= certain);
        let behind_special = specials.last().map(|special| special.end());
        let from = behind_special.unwrap_or(0);
        let plain = text.get(from..certain).unwrap_or("");
        let ends = |space: char| space.is_whitespace() && self.cut.ends_before(space);
        let mut next_is_space = text[certain.max(from)..].starts_with(ends);
        for (at, character) in plain.char_indices().rev() {
            if next_is_space && !character.is_whitespace() {
                return Some(from + at + character.len_utf8());
            }
            next_is_space = ends(character);
        }
        behind_special
    }
}

/// The pre-tokens of ordinary text as GPT-2 has them, in order; together they are the text.
pub fn pretokens(text: &str) -> impl Iterator<Item = &str> {
    Cut::Gpt2.pretokens(text)
}
