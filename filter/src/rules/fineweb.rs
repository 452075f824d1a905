//! The rules that FineWeb adds (Penedo et al. 2024, section 3.6).

use serde::{Deserialize, Serialize};

use super::Sheet;
use super::repetition::duplicates;
use crate::chars::{count, is_terminal, trim};
use crate::text::Text;

/// Limits of the rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FineWeb {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Minimum share of lines that end in a sentence end.
    pub min_punctuated_lines: f64,
    /// Maximum share of short lines.
    pub max_short_lines: f64,
    /// Lines of at most this many characters are short.
    pub short_line: usize,
    /// Maximum share of characters in lines that occurred before.
    pub max_duplicate_characters: f64,
    /// Maximum number of line feeds per word.
    pub max_newline_ratio: f64,
}

impl Default for FineWeb {
    fn default() -> Self {
        Self {
            enabled: true,
            min_punctuated_lines: 0.12,
            max_short_lines: 0.67,
            short_line: 30,
            max_duplicate_characters: 0.01,
            max_newline_ratio: 0.3,
        }
    }
}

/// Measures a text.
pub fn fineweb(text: &Text<'_>, limits: &FineWeb, sheet: &mut Sheet) {
    let lines: Vec<&str> = text.text.split('\n').filter(|line| !trim(line).is_empty()).collect();
    let n = lines.len() as f64;
    if sheet.min("empty", n, 1.0) || lines.is_empty() {
        return;
    }
    let punctuated = lines.iter().filter(|line| line.ends_with(is_terminal)).count() as f64;
    let short = lines.iter().filter(|line| count(line) <= limits.short_line).count() as f64;
    let n_feeds = text.text.bytes().filter(|&byte| byte == b'\n').count();
    let _ = sheet.min("line_punct_ratio", punctuated / n, limits.min_punctuated_lines)
        || sheet.max("short_line_ratio", short / n, limits.max_short_lines)
        || sheet.max(
            "char_dup_ratio",
            duplicates(&lines).1 / (text.n_chars - n_feeds) as f64,
            limits.max_duplicate_characters,
        )
        || sheet.max("list_ratio", n_feeds as f64 / text.words().len() as f64, limits.max_newline_ratio);
}
