//! Pages with phrases that the user lists, such as slurs.

use serde::{Deserialize, Serialize};

use super::Sheet;

/// The phrases and their limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phrases {
    /// Whether the stage runs.
    pub enabled: bool,
    /// The phrases, compared without regard to case, as whole words.
    pub phrases: Vec<String>,
    /// The largest number of occurrences that a kept page may have.
    pub max_occurrences: f64,
}

/// Measures a text.
pub fn phrases(text: &str, limits: &Phrases, sheet: &mut Sheet) {
    sheet.max("listed_phrases", found(text, &limits.phrases).len() as f64, limits.max_occurrences);
}

/// The byte ranges of all occurrences, in a text whose lower case has equal positions.
pub(super) fn found(text: &str, phrases: &[String]) -> Vec<(usize, usize)> {
    let lower = text.to_ascii_lowercase();
    let mut ranges = Vec::new();
    for phrase in phrases.iter().filter(|phrase| !phrase.is_empty()) {
        let phrase = phrase.to_ascii_lowercase();
        for (at, _) in lower.match_indices(&phrase) {
            let end = at + phrase.len();
            let inner = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            if !inner(lower[..at].chars().next_back()) && !inner(lower[end..].chars().next()) {
                ranges.push((at, end));
            }
        }
    }
    ranges
}
