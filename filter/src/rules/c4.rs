//! C4's rules for lines and pages (Raffel et al. 2019, section 2.2), as datatrove implements them.

use serde::{Deserialize, Serialize};

use super::Sheet;
use crate::chars::{count, is_space, lines, trim};
use crate::words::sentences;

/// Limits and switches of the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct C4 {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Remove lines that do not end in `.`, `?`, `!` or a quote.
    pub terminal_punctuation: bool,
    /// Minimum number of sentences in the kept lines.
    pub min_sentences: f64,
    /// Minimum number of words of a kept line.
    pub min_words_per_line: usize,
    /// Maximum number of characters of a word in a kept line.
    pub max_word_length: usize,
    /// Drop pages with the placeholder text "lorem ipsum".
    pub lorem_ipsum: bool,
    /// Remove lines that mention JavaScript.
    pub javascript: bool,
    /// Drop pages with a curly bracket.
    pub curly_bracket: bool,
    /// Remove lines about cookies, privacy and terms of use.
    pub policy: bool,
    /// Remove citation marks such as `[1]`.
    pub citations: bool,
}

impl Default for C4 {
    /// FineWeb's choice: all rules except terminal punctuation, which alone drops a third of the pages.
    fn default() -> Self {
        Self {
            enabled: true,
            terminal_punctuation: false,
            min_sentences: 5.0,
            min_words_per_line: 3,
            max_word_length: 1000,
            lorem_ipsum: true,
            javascript: true,
            curly_bracket: true,
            policy: true,
            citations: true,
        }
    }
}

impl C4 {
    /// The rules of the paper.
    pub fn paper() -> Self {
        Self { terminal_punctuation: true, ..Self::default() }
    }
}

const POLICY: [&str; 6] =
    ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];

/// Why a line is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFate {
    Keep,
    Remove,
    LoremIpsum,
    CurlyBracket,
}

/// What happens to a line; words are counted before citation marks are removed.
pub(super) fn line_fate(marked: &str, limits: &C4) -> LineFate {
    let mut n_words = 0;
    for word in marked.split(is_space).filter(|word| !word.is_empty()) {
        n_words += 1;
        if word.len() > limits.max_word_length && count(word) > limits.max_word_length {
            return LineFate::Remove;
        }
    }
    let line = &*stripped(marked, limits);
    if limits.terminal_punctuation && (!line.ends_with(['.', '?', '!', '"', '\'']) || line.ends_with("...")) {
        return LineFate::Remove;
    }
    if n_words < limits.min_words_per_line {
        return LineFate::Remove;
    }
    let lower = line.to_lowercase();
    if limits.lorem_ipsum && lower.contains("lorem ipsum") {
        LineFate::LoremIpsum
    } else if limits.javascript && lower.contains("javascript") {
        LineFate::Remove
    } else if limits.curly_bracket && line.contains('{') {
        LineFate::CurlyBracket
    } else if limits.policy && POLICY.iter().any(|phrase| lower.contains(phrase)) {
        LineFate::Remove
    } else {
        LineFate::Keep
    }
}

/// Measures a text and returns its kept lines.
pub fn c4(text: &str, limits: &C4, sheet: &mut Sheet) -> String {
    let (mut kept, mut n_sentences, mut lorem, mut curly) = (String::with_capacity(text.len()), 0, 0.0, 0.0);
    for line in lines(text) {
        let line = trim(line);
        match line_fate(line, limits) {
            LineFate::Keep => {
                let without = stripped(line, limits);
                n_sentences += sentences(&without);
                kept.push_str(&without);
                kept.push('\n');
            }
            LineFate::LoremIpsum => lorem += 1.0,
            LineFate::CurlyBracket => curly += 1.0,
            LineFate::Remove => {}
        }
        if lorem + curly > 0.0 && !sheet.all {
            break;
        }
    }
    let _ = (limits.lorem_ipsum && sheet.max("lorem_ipsum", lorem, 0.0))
        || (limits.curly_bracket && sheet.max("curly_bracket", curly, 0.0))
        || sheet.min("too_few_sentences", n_sentences as f64, limits.min_sentences);
    trim(&kept).to_string()
}

fn stripped<'l>(line: &'l str, limits: &C4) -> std::borrow::Cow<'l, str> {
    if limits.citations { without_citations(line) } else { line.into() }
}

/// The line without marks such as `[1]`, `[edit]` and `[citation needed]`.
fn without_citations(line: &str) -> std::borrow::Cow<'_, str> {
    if !line.contains('[') {
        return line.into();
    }
    let (mut out, mut rest) = (String::with_capacity(line.len()), line);
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let mark = ["edit]", "citation needed]"].into_iter().find(|mark| after.starts_with(mark));
        let digits = after.len() - after.trim_start_matches(char::is_numeric).len();
        let len = mark.map(str::len).or_else(|| after[digits..].starts_with(']').then_some(digits + 1));
        match len {
            Some(len) => rest = &after[len..],
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_go() {
        for (line, expected) in [("a[1] b[edit] c[citation needed] d[]", "a b c d"), ("[x] [12", "[x] [12")] {
            assert_eq!(without_citations(line), expected);
        }
    }
}
