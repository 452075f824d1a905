//! How the pre-tokenizers of common model families split a text. Merges never cross the boundaries of the pieces.

use std::sync::LazyLock;

use regex::Regex;

/// A pre-tokenization pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// GPT-2's (Radford et al. 2019), also used by GPT-NeoX, Pythia and OPT.
    #[default]
    Gpt2,
    /// GPT-2's with single digits, as in SmolLM and StarCoder.
    Digits,
    /// Llama 3's: up to three digits together, and punctuation together with the line breaks after it.
    Llama3,
    /// That of Qwen 2 and 2.5: Llama 3's with single digits.
    Qwen2,
    /// OpenAI's `cl100k_base`: Llama 3's, except that white space at the end of a text stays together.
    Cl100k,
    /// OpenAI's `o200k_base`: words are split before capital letters and keep their contractions.
    O200k,
}

/// Names of the patterns that the user can choose from.
pub const CUT_NAMES: [(&str, Cut); 5] = [
    ("gpt2", Cut::Gpt2),
    ("cl100k", Cut::Cl100k),
    ("o200k", Cut::O200k),
    ("llama3", Cut::Llama3),
    ("qwen2", Cut::Qwen2),
];

/// Tokenizer settings besides merges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// The pre-tokenization pattern.
    pub cut: Cut,
    /// Whether Unicode normalization form C is applied first.
    pub composes: bool,
    /// Whether a pre-token that is itself a token stays whole, regardless of the merges.
    pub keeps_whole: bool,
}

/// The contractions in the patterns of Llama 3 and Qwen 2: upper and lower case, and the long s.
const CONTRACTIONS: &str = "'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL]{2}|[dD])";

/// Spellings of GPT-2's pattern in files: the original, and an equivalent that runs faster.
const GPT2_SPLITS: [&str; 4] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
];

/// The spelling of the `o200k_base` pattern in files.
const O200K_SPLIT: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

static GPT2: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"));
static DIGITS: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+"));
static LLAMA3: LazyLock<Regex> = LazyLock::new(|| compiled(&lines(r"\p{N}{1,3}")));
static QWEN2: LazyLock<Regex> = LazyLock::new(|| compiled(&lines(r"\p{N}")));
static O200K: LazyLock<Regex> = LazyLock::new(|| {
    compiled(&format!(r"{}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+", cased_words(CONTRACTIONS)))
});

/// Lower-case words, optionally starting with capitals, and upper-case words.
fn cased_words(contractions: &str) -> String {
    let (capital, small) = (r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}");
    let word = |letters: String| format!(r"[^\r\n\p{{L}}\p{{N}}]?{letters}(?:{contractions})?");
    word(format!("[{capital}]*[{small}]+")) + "|" + &word(format!("[{capital}]+[{small}]*"))
}

fn lines(numbers: &str) -> String {
    format!(
        "{CONTRACTIONS}|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|{numbers}| ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+"
    )
}

fn compiled(pattern: &str) -> Regex {
    // The patterns are constants, all of which are compiled in this module's tests.
    Regex::new(pattern).expect("the pattern is valid")
}

impl Cut {
    /// All patterns.
    pub const ALL: [Self; 6] = [Self::Gpt2, Self::Digits, Self::Llama3, Self::Qwen2, Self::Cl100k, Self::O200k];

    /// The regular expression for a `Split` in `tokenizer.json`, for patterns that are written that way.
    pub(super) fn split(self) -> Option<String> {
        let (numbers, at_end) = match self {
            Self::Gpt2 | Self::Digits => return None,
            Self::Llama3 => (r"\p{N}{1,3}", ""),
            Self::Qwen2 => (r"\p{N}", ""),
            // No `$`, which matches at the end of a line in some engines.
            Self::Cl100k => (r"\p{N}{1,3}", r"|\s+\z"),
            Self::O200k => return Some(O200K_SPLIT.into()),
        };
        Some(format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{at_end}|\s*[\r\n]+|\s+(?!\S)|\s+"
        ))
    }

    /// The pattern with this regular expression, in any of its common spellings.
    pub(super) fn of_split(pattern: &str) -> Option<Self> {
        let known = || Self::ALL.into_iter().find(|cut| cut.split().as_deref() == Some(pattern));
        GPT2_SPLITS.contains(&pattern).then_some(Self::Gpt2).or_else(known)
    }

    /// The pattern with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        CUT_NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, cut)| cut)
    }

    /// The pre-tokens of ordinary text, in order; concatenated, they are the text.
    pub fn pretokens(self, text: &str) -> impl Iterator<Item = &str> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at;
            if start == text.len() {
                return None;
            }
            let fast = if self == Self::Gpt2 { ascii_end(text.as_bytes(), start) } else { None };
            at = fast.or_else(|| self.pattern_end(text, start))?;
            Some(&text[start..at])
        })
    }

    /// The end of the pre-token that begins at `start`.
    fn pattern_end(self, text: &str, start: usize) -> Option<usize> {
        if self == Self::Cl100k && text[start..].trim_start().is_empty() {
            return Some(text.len());
        }
        let pattern = match self {
            Self::Gpt2 => &GPT2,
            Self::Digits => &DIGITS,
            Self::Llama3 | Self::Cl100k => &LLAMA3,
            Self::Qwen2 => &QWEN2,
            Self::O200k => &O200K,
        };
        let found = pattern.find_at(text, start)?;
        // `\s+(?!\S)` needs a look-ahead, which the regex crate does not support: two or more white space characters
        // before something else leave the last one to it.
        let last = found.as_str().chars().next_back()?;
        let next = text[found.end()..].chars().next();
        let leaves_last = match self {
            Self::Gpt2 => next.is_some(),
            Self::Digits => next.is_some_and(|next| !next.is_numeric()),
            // White space that ends with a line break was matched by an earlier branch.
            _ => next.is_some() && !matches!(last, '\r' | '\n'),
        };
        let leaves_last = leaves_last && last.is_whitespace() && found.len() > last.len_utf8();
        Some(found.end() - if leaves_last { last.len_utf8() } else { 0 })
    }

    /// Whether a pre-token can never continue with this white space after other characters.
    pub(super) fn ends_before(self, space: char) -> bool {
        matches!(self, Self::Gpt2 | Self::Digits) || !matches!(space, '\r' | '\n')
    }
}

/// The character classes of GPT-2's pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
    /// Not ASCII: needs the regular expression.
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

/// Like [`Cut::pattern_end`], but several times as fast; `None` if a non-ASCII character decides.
fn ascii_end(text: &[u8], start: usize) -> Option<usize> {
    let rest = &text[start..];
    match rest {
        [b'\'', b's' | b't' | b'm' | b'd', ..] => return Some(start + 2),
        [b'\'', b'r' | b'v', b'e', ..] | [b'\'', b'l', b'l', ..] => return Some(start + 3),
        _ => {}
    }
    // ` ?`: one space belongs to what follows, unless that is white space.
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
