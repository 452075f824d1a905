//! How the pre-tokenisers of the families of open models cut a text; merges never cross the borders of the pieces.

use std::sync::LazyLock;

use regex::Regex;

/// A way of cutting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// GPT-2's (Radford et al. 2019), which GPT-NeoX, Pythia and OPT have too.
    #[default]
    Gpt2,
    /// The same with every digit alone, as SmolLM and StarCoder have it.
    Digits,
    /// Llama 3's: digits by threes, punctuation together with the line's end behind it.
    Llama3,
    /// Qwen 2's and 2.5's: as Llama 3's with every digit alone.
    Qwen2,
    /// That of OpenAI's `cl100k_base`: as Llama 3's, and white space at the end of a text stays together.
    Cl100k,
    /// That of OpenAI's `o200k_base`: words are cut before capital letters and keep their contractions.
    O200k,
}

/// Names of ways to cut, for users who have to choose one.
pub const CUT_NAMES: [(&str, Cut); 5] = [
    ("gpt2", Cut::Gpt2),
    ("cl100k", Cut::Cl100k),
    ("o200k", Cut::O200k),
    ("llama3", Cut::Llama3),
    ("qwen2", Cut::Qwen2),
];

/// What a tokenizer does besides merging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// How it cuts texts.
    pub cut: Cut,
    /// Whether it composes characters first (Unicode's normalisation form C).
    pub composes: bool,
    /// Whether a pre-token that is a token stays whole, whatever the merges would make of it.
    pub keeps_whole: bool,
}

/// A part of the patterns of Llama 3 and Qwen 2: contractions in small and capital letters, and the long s.
const CONTRACTIONS: &str = "'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL]{2}|[dD])";

/// GPT-2's pattern as files spell it, by itself or in a form that runs faster.
const GPT2_SPLITS: [&str; 4] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
];

/// The pattern of `o200k_base` as files spell it.
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

/// Words of small letters, which may begin with capital ones, and words of capital letters.
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
    // Constant patterns, all compiled in the tests of this module.
    Regex::new(pattern).expect("the pattern is valid")
}

impl Cut {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Gpt2, Self::Digits, Self::Llama3, Self::Qwen2, Self::Cl100k, Self::O200k];

    /// The pattern of a `Split` in `tokenizer.json`, for those that are written so.
    pub(super) fn split(self) -> Option<String> {
        let (numbers, at_end) = match self {
            Self::Gpt2 | Self::Digits => return None,
            Self::Llama3 => (r"\p{N}{1,3}", ""),
            Self::Qwen2 => (r"\p{N}", ""),
            // No `$`, which is the end of a line in some engines.
            Self::Cl100k => (r"\p{N}{1,3}", r"|\s+\z"),
            Self::O200k => return Some(O200K_SPLIT.into()),
        };
        Some(format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{at_end}|\s*[\r\n]+|\s+(?!\S)|\s+"
        ))
    }

    /// The way to cut of a `Split` with this pattern, in one of the spellings that are in use.
    pub(super) fn of_split(pattern: &str) -> Option<Self> {
        let known = || Self::ALL.into_iter().find(|cut| cut.split().as_deref() == Some(pattern));
        GPT2_SPLITS.contains(&pattern).then_some(Self::Gpt2).or_else(known)
    }

    /// The way to cut with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        CUT_NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, cut)| cut)
    }

    /// The pre-tokens of ordinary text, in order; together they are the text.
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

    /// Where the pre-token ends that begins at `start`.
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
        // `\s+(?!\S)`, a look-ahead that the library does not have: white space before something else leaves its last
        // character to that, if it has more than one.
        let last = found.as_str().chars().next_back()?;
        let next = text[found.end()..].chars().next();
        let leaves_last = match self {
            Self::Gpt2 => next.is_some(),
            Self::Digits => next.is_some_and(|next| !next.is_numeric()),
            // What ends with a line's end was matched by a branch before.
            _ => next.is_some() && !matches!(last, '\r' | '\n'),
        };
        let leaves_last = leaves_last && last.is_whitespace() && found.len() > last.len_utf8();
        Some(found.end() - if leaves_last { last.len_utf8() } else { 0 })
    }

    /// Whether a pre-token can never go on with this white space when it has something else before it.
    pub(super) fn ends_before(self, space: char) -> bool {
        matches!(self, Self::Gpt2 | Self::Digits) || !matches!(space, '\r' | '\n')
    }
}

/// What GPT-2's pattern tells apart.
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

/// As [`Cut::pattern_end`], several times as fast; none where it would have to look at a character that is not ASCII.
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
