//! Pre-tokenization: special tokens split the text first, then a pattern splits the text between them. Merges never
//! cross the boundaries of these pieces.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;
use rustc_hash::FxHashSet;
use tokenizers::NormalizedString;

use super::cut::Cut;
use super::error::DataError;

/// Special tokens with more bytes than this in total use a more compact automaton.
const MAX_DFA_BYTES: usize = 4096;

/// A piece of a text split at special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text between special tokens.
    Text(&'t str),
    /// The special token with this index.
    Special(usize),
}

/// A token that is matched before any merge, with the flags of `tokenizer.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddedToken {
    /// The text that it matches.
    pub content: String,
    /// Whether it matches only whole words.
    pub single_word: bool,
    /// Whether it includes the white space before it.
    pub lstrip: bool,
    /// Whether it includes the white space after it.
    pub rstrip: bool,
    /// Whether it matches the normalized text, after the tokens that match the original text.
    pub normalized: bool,
}

impl AddedToken {
    /// A token without flags.
    pub fn plain(content: &str) -> Self {
        Self { content: content.into(), ..Self::default() }
    }

    fn is_flagged(&self) -> bool {
        self.single_word || self.lstrip || self.rstrip || self.normalized
    }
}

/// The tokens matched in one pass over a text.
#[derive(Clone, Debug)]
struct Pass {
    automaton: AhoCorasick,
    /// The token index of each pattern.
    indices: Vec<usize>,
}

impl Pass {
    fn new(patterns: Vec<(usize, &str)>) -> Result<Self, DataError> {
        let (indices, patterns): (Vec<usize>, Vec<&str>) = patterns.into_iter().unzip();
        // The fastest kind takes up to a kilobyte per byte of the names.
        let long = patterns.iter().map(|pattern| pattern.len()).sum::<usize>() > MAX_DFA_BYTES;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(long.then_some(AhoCorasickKind::ContiguousNFA))
            .build(patterns)
            .map_err(|error| DataError::Tokenizer(error.to_string()))?;
        Ok(Self { automaton, indices })
    }
}

/// A list of special tokens, compiled for matching, and the pattern for the text between them.
#[derive(Clone, Debug)]
pub struct Specials {
    names: Vec<String>,
    tokens: Vec<AddedToken>,
    cut: Cut,
    /// Matches tokens in the original text.
    verbatim: Pass,
    /// Matches tokens in the normalized text.
    normalized: Pass,
    /// Matches all tokens, to find where blocks of a text may end.
    all: AhoCorasick,
    /// Tokens with white space after other characters; a block must not end inside them.
    spaced: Vec<String>,
}

impl Specials {
    /// Special tokens in the order of their indices; duplicates are ignored.
    ///
    /// # Errors
    /// When a token is empty.
    pub fn new<S: AsRef<str>>(specials: &[S]) -> Result<Self, DataError> {
        Self::with_flags(specials.iter().map(|special| AddedToken::plain(special.as_ref())).collect(), false)
    }

    /// Special tokens with flags; `composes` enables Unicode normalization form C.
    ///
    /// # Errors
    /// When a token is empty.
    pub fn with_flags(specials: Vec<AddedToken>, composes: bool) -> Result<Self, DataError> {
        let mut known = FxHashSet::default();
        let mut tokens = specials;
        if tokens.iter().any(|token| token.content.is_empty()) {
            return Err(DataError::EmptySpecial);
        }
        tokens.retain(|token| known.insert(token.content.clone()));
        let names: Vec<String> = tokens.iter().map(|token| token.content.clone()).collect();
        let composed = |name: &String| if composes { compose(name).into_owned() } else { name.clone() };
        let patterns: Vec<String> = names.iter().map(composed).collect();
        let of = |normalized: bool, texts: &[String]| {
            let chosen = tokens.iter().enumerate().filter(|(_, token)| token.normalized == normalized);
            Pass::new(chosen.map(|(index, _)| (index, texts[index].as_str())).collect())
        };
        let (verbatim, normalized) = (of(false, &names)?, of(true, &patterns)?);
        let all = Pass::new(names.iter().map(String::as_str).enumerate().collect())?.automaton;
        let is_spaced = |name: &&String| name.trim_start().contains(char::is_whitespace);
        let spaced = names.iter().chain(&patterns).filter(is_spaced).cloned().collect();
        Ok(Self { names, tokens, cut: Cut::Gpt2, verbatim, normalized, all, spaced })
    }

    /// Replaces the pattern, which is GPT-2's by default.
    #[must_use]
    pub fn with_cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    /// The pre-tokenization pattern.
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// The special tokens.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The special tokens with their flags.
    pub fn tokens(&self) -> &[AddedToken] {
        &self.tokens
    }

    /// Splits `text` at the tokens that match the original text. Among tokens with the same start, the longest wins.
    pub fn pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = Piece<'t>> {
        self.find(&self.verbatim, text)
    }

    /// Splits normalized text at the tokens that [`Specials::pieces`] leaves out.
    pub fn normalized_pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = Piece<'t>> {
        self.find(&self.normalized, text)
    }

    fn find<'s, 't>(&'s self, pass: &'s Pass, text: &'t str) -> impl Iterator<Item = Piece<'t>> + use<'s, 't> {
        let mut found = pass.automaton.find_iter(text);
        let (mut at, mut waiting, mut ended) = (0, None, false);
        std::iter::from_fn(move || {
            while waiting.is_none() && !ended {
                let special = found.by_ref().find_map(|special| {
                    let index = pass.indices[special.pattern().as_usize()];
                    let (start, end) = self.tokens[index].extent(text, at, (special.start(), special.end()))?;
                    Some((index, start, end))
                });
                let (start, end) = match special {
                    Some((index, start, end)) => {
                        waiting = Some(Piece::Special(index));
                        (start, end)
                    }
                    None => {
                        ended = true;
                        (text.len(), text.len())
                    }
                };
                let before = text.get(at..start).unwrap_or_default();
                at = end;
                if !before.is_empty() {
                    return Some(Piece::Text(before));
                }
            }
            waiting.take()
        })
    }

    /// The last position in `text` that is a piece boundary whatever text follows, so that both sides can be split
    /// separately; `None` if there is none.
    ///
    /// It is after a special token, or before white space that follows another character: apart from line breaks after
    /// punctuation, no pre-token has white space after other characters, and only the split of white space depends on
    /// what follows.
    pub fn safe_border(&self, text: &str) -> Option<usize> {
        // A special token that begins later may be incomplete.
        let longest = self.names.iter().map(String::len).max().unwrap_or(0);
        let certain = text.floor_char_boundary(text.len().checked_sub(longest)?);
        let specials = self.all.find_iter(text).take_while(|special| special.start() <= certain);
        let behind_special = specials.last().map(|special| special.end());
        let from = behind_special.unwrap_or(0);
        let plain = text.get(from..certain).unwrap_or("");
        let ends = |space: char| space.is_whitespace() && self.cut.ends_before(space);
        let mut next_is_space = text[certain.max(from)..].starts_with(ends);
        for (at, character) in plain.char_indices().rev() {
            let border = from + at + character.len_utf8();
            if next_is_space && !character.is_whitespace() && !self.is_inside(text, border) {
                return Some(border);
            }
            next_is_space = ends(character);
        }
        // The extent of a token with flags depends on the surrounding text.
        behind_special.filter(|_| !self.tokens.iter().any(AddedToken::is_flagged))
    }

    /// Whether `border` is inside a special token.
    fn is_inside(&self, text: &str, border: usize) -> bool {
        self.spaced.iter().any(|token| {
            let begin = text.floor_char_boundary(border.saturating_sub(token.len() - 1));
            let end = text.ceil_char_boundary((border + token.len() - 1).min(text.len()));
            text[begin..end].contains(token.as_str())
        })
    }
}

impl AddedToken {
    /// The range of `text` that a token matched at `start..end` covers, where everything before `taken` belongs to an
    /// earlier token; `None` if its flags reject the match.
    fn extent(&self, text: &str, taken: usize, (start, end): (usize, usize)) -> Option<(usize, usize)> {
        let (before, after) = (&text[..start], &text[end..]);
        let in_word = before.chars().next_back().is_some_and(is_word) || after.chars().next().is_some_and(is_word);
        if self.single_word && in_word {
            return None;
        }
        let start = if self.lstrip { before.trim_end().len().max(taken) } else { start };
        let end = if self.rstrip { text.len() - after.trim_start().len() } else { end };
        Some((start, end))
    }
}

/// Whether a character is a word character (`\w`).
fn is_word(character: char) -> bool {
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\w").ok());
    WORD.as_ref().is_some_and(|word| word.is_match(character.encode_utf8(&mut [0; 4])))
}

/// Unicode normalization form C.
pub(super) fn compose(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    NormalizedString::from(text).nfc().get().to_string().into()
}

/// The pre-tokens of ordinary text with GPT-2's pattern, in order; concatenated, they are the text.
pub fn pretokens(text: &str) -> impl Iterator<Item = &str> {
    Cut::Gpt2.pretokens(text)
}
