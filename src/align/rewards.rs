//! Judges: how a sampled response is graded. All are computed from the text alone, so rewards repeat exactly.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

use super::error::{AlignError, shown};

/// The maximum size of a compiled pattern, and of its cache, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 18;

/// The maximum number of judges.
const MAX_JUDGES: usize = 16;

/// The names of the judges, for messages.
const NAMES: &str =
    "exact, partial, format, length:N, regex:PATTERN, word:WORD, each with an optional weight as in 0.5*exact";

/// A sampled response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The text up to its end.
    pub text: &'a str,
    /// Whether the model ended the response itself, instead of reaching the maximum length.
    pub ended: bool,
}

/// Grades responses with a number, usually from 0 to 1.
#[derive(Clone, Debug)]
pub enum Judge {
    /// 1 if the answer is right and the response ended, else 0. Spaces around the answer do not matter.
    Exact,
    /// Half the share of characters that are right and in their place, the end included, plus half of [`Judge::Exact`].
    Partial,
    /// 1 if the response ended and has the form of the answer: as long, and with digits, letters and other characters in the
    /// same places; with a marker, if text follows the marker; without an answer, if it is not empty.
    Format,
    /// 1 at this number of characters, falling linearly to 0 at none and at twice as many.
    Length(usize),
    /// 1 if the pattern occurs.
    Pattern(Regex),
    /// 1 if the word occurs as a whole word, in any case.
    Word(String),
}

/// The grades of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The reward: the weighted sum of all judges.
    pub reward: f64,
    /// The grade of [`Judge::Exact`]; 0 without an answer.
    pub exact: f64,
    /// The grade of [`Judge::Format`].
    pub format: f64,
}

/// Weighted judges.
#[derive(Clone, Debug)]
pub struct Rewards {
    judges: Vec<(f64, Judge)>,
    /// The answer is the text after the last occurrence of this marker in the response, as `####` in GSM8K.
    marker: Option<String>,
}

impl Rewards {
    /// Only [`Judge::Exact`].
    pub fn exact() -> Self {
        Self { judges: vec![(1.0, Judge::Exact)], marker: None }
    }

    /// Judges from specifications such as `exact`, `0.5*length:20` or `regex:^[0-9]+$`.
    ///
    /// # Errors
    /// When there is none, or one is invalid.
    pub fn parse<S: AsRef<str>>(specs: &[S]) -> Result<Self, AlignError> {
        let wrong = |problem| Err(AlignError::Reward { spec: String::new(), problem });
        if specs.is_empty() {
            return wrong(format!("missing; expected {NAMES}"));
        }
        if specs.len() > MAX_JUDGES {
            return wrong(format!("{} judges; expected at most {MAX_JUDGES}", specs.len()));
        }
        let judges = specs.iter().map(|spec| weighted(spec.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { judges, marker: None })
    }

    /// Only the text after the last `marker` is the answer.
    #[must_use]
    pub fn after(mut self, marker: &str) -> Self {
        self.marker = Some(marker.into()).filter(|marker: &String| !marker.is_empty());
        self
    }

    /// Whether a judge compares with an answer.
    pub fn needs_answer(&self) -> bool {
        self.judges.iter().any(|(_, judge)| matches!(judge, Judge::Exact | Judge::Partial))
    }

    /// Grades a response to a prompt with this answer, if it has one.
    pub fn grade(&self, response: Response<'_>, answer: Option<&str>) -> Verdict {
        let (exact, format) = (self.exact_grade(response, answer), self.format_grade(response, answer));
        let grade = |judge: &Judge| match judge {
            Judge::Exact => exact,
            Judge::Format => format,
            Judge::Partial => 0.5 * answer.map_or(0.0, |answer| right_characters(response, answer)) + 0.5 * exact,
            Judge::Length(target) => {
                let (found, target) = (response.text.chars().count() as f64, *target as f64);
                (1.0 - (found - target).abs() / target).max(0.0)
            }
            Judge::Pattern(pattern) => f64::from(u8::from(pattern.is_match(response.text))),
            Judge::Word(word) => f64::from(u8::from(has_word(response.text, word))),
        };
        Verdict { reward: self.judges.iter().map(|(weight, judge)| weight * grade(judge)).sum(), exact, format }
    }

    /// The answer in a text.
    fn answer_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        match &self.marker {
            None => Some(text.trim()),
            Some(marker) => text.rsplit_once(marker.as_str()).map(|(_, answer)| answer.trim()),
        }
    }

    fn exact_grade(&self, response: Response<'_>, answer: Option<&str>) -> f64 {
        // The given answer may contain worked steps, or be the bare answer.
        let expected = answer.map(|answer| self.answer_in(answer).unwrap_or_else(|| answer.trim()));
        let right = expected.is_some() && self.answer_in(response.text) == expected;
        f64::from(u8::from(response.ended && right))
    }

    fn format_grade(&self, response: Response<'_>, answer: Option<&str>) -> f64 {
        let good = match (&self.marker, answer) {
            (Some(_), _) => self.answer_in(response.text).is_some_and(|answer| !answer.is_empty()),
            (None, Some(answer)) => response.text.chars().map(class).eq(answer.chars().map(class)),
            (None, None) => !response.text.trim().is_empty(),
        };
        f64::from(u8::from(response.ended && good))
    }
}

/// The share of the answer's characters, its end included, that the response has in the same place.
fn right_characters(response: Response<'_>, answer: &str) -> f64 {
    let with_end = |text: &str, ended: bool| text.chars().chain(ended.then_some('\n')).collect::<Vec<char>>();
    let (found, expected) = (with_end(response.text, response.ended), with_end(answer, true));
    let right = found.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
    right as f64 / expected.len() as f64
}

/// Digit, letter, or the character itself.
fn class(character: char) -> char {
    match character {
        _ if character.is_numeric() => '0',
        _ if character.is_alphabetic() => 'a',
        other => other,
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let within = |neighbor: Option<char>| neighbor.is_some_and(char::is_alphanumeric);
    text.match_indices(&word)
        .any(|(at, found)| !within(text[..at].chars().next_back()) && !within(text[at + found.len()..].chars().next()))
}

fn weighted(spec: &str) -> Result<(f64, Judge), AlignError> {
    let wrong = |problem: String| AlignError::Reward { spec: shown(spec), problem };
    let name_end = spec.find(':').unwrap_or(spec.len());
    match spec[..name_end].split_once('*') {
        None => Ok((1.0, spec.parse()?)),
        Some((weight, _)) => {
            let judge = &spec[weight.len() + 1..];
            let weight = weight.trim().parse::<f64>().ok().filter(|weight| weight.is_finite());
            let weight = weight.ok_or_else(|| wrong("the weight before * is not a number".into()))?;
            Ok((weight, judge.parse()?))
        }
    }
}

impl FromStr for Judge {
    type Err = AlignError;

    fn from_str(spec: &str) -> Result<Self, AlignError> {
        let wrong = |problem: String| AlignError::Reward { spec: shown(spec), problem };
        let (name, argument) = spec.split_once(':').map_or((spec, None), |(name, argument)| (name, Some(argument)));
        match (name.trim(), argument) {
            ("exact", None) => Ok(Self::Exact),
            ("partial", None) => Ok(Self::Partial),
            ("format", None) => Ok(Self::Format),
            ("length", Some(target)) => {
                let target = target.trim().parse().ok().filter(|&target: &usize| target > 0);
                target
                    .map(Self::Length)
                    .ok_or_else(|| wrong("expected length:N with N a whole number from 1 on".into()))
            }
            ("regex", Some(pattern)) => {
                let mut builder = RegexBuilder::new(pattern);
                let pattern = builder.size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES).build();
                pattern
                    .map(Self::Pattern)
                    .map_err(|error| wrong(format!("invalid pattern: {}", shown(&error.to_string()))))
            }
            ("word", Some(word)) if !word.trim().is_empty() => Ok(Self::Word(word.trim().into())),
            _ => Err(wrong(format!("unknown judge; expected one of {NAMES}"))),
        }
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Partial => f.write_str("partial"),
            Self::Format => f.write_str("format"),
            Self::Length(target) => write!(f, "length:{target}"),
            Self::Pattern(pattern) => write!(f, "regex:{pattern}"),
            Self::Word(word) => write!(f, "word:{word}"),
        }
    }
}
