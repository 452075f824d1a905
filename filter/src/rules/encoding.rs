//! Text that was decoded wrongly: replacement characters, and UTF-8 that was read as Windows-1252 ("Ã©" for "é").

use serde::{Deserialize, Serialize};

use super::Sheet;
use crate::text::Text;

/// Limit of the rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encoding {
    /// Whether the stage runs.
    pub enabled: bool,
    /// Maximum share of characters that a wrong decoding left.
    pub max_mojibake: f64,
}

impl Default for Encoding {
    fn default() -> Self {
        Self { enabled: true, max_mojibake: 0.004 }
    }
}

/// Measures a text.
pub fn encoding(text: &Text<'_>, limits: &Encoding, sheet: &mut Sheet) {
    let wrong: usize = mojibake(text.text).map(|(start, end)| text.text[start..end].chars().count()).sum();
    sheet.max("mojibake", wrong as f64 / text.n_chars as f64, limits.max_mojibake);
}

/// The byte ranges that a wrong decoding left.
pub(super) fn mojibake(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (at, c) = characters.next()?;
            if c == '\u{fffd}' {
                return Some((at, at + c.len_utf8()));
            }
            // The first byte of a character in UTF-8, and a continuation byte, both read as Windows-1252.
            let lead = matches!(c, 'Â' | 'Ã' | 'Ä' | 'Å' | 'Î' | 'Ï' | 'Ð' | 'Ñ' | 'Ø' | 'Ù' | 'â' | 'ã' | 'ð');
            if lead
                && let Some(&(next, following)) = characters.peek()
                && is_continuation(following)
            {
                characters.next();
                return Some((at, next + following.len_utf8()));
            }
        }
    })
}

/// Whether a character is what Windows-1252 gives for the bytes 0x80 to 0xbf, other than letters.
fn is_continuation(c: char) -> bool {
    matches!(
        c,
        '\u{80}'
            ..='\u{bf}'
                | '€'
                | '‚'
                | 'ƒ'
                | '„'
                | '…'
                | '†'
                | '‡'
                | 'ˆ'
                | '‰'
                | '‹'
                | '‘'
                | '’'
                | '“'
                | '”'
                | '•'
                | '–'
                | '—'
                | '˜'
                | '™'
                | '›'
                | 'œ'
                | 'Œ'
                | 'š'
                | 'Š'
                | 'ž'
                | 'Ž'
                | 'Ÿ'
    )
}
