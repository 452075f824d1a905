//! The form of a text in which near duplicates are compared.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::chars::{is_space, is_symbol};

/// Lower case, without accents and apostrophes, with every other punctuation mark and run of white space as one space.
pub fn normalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut push = |c: char| {
        if matches!(c, '\'' | '’') || is_combining_mark(c) {
            return;
        }
        if is_space(c) || is_symbol(c) {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.extend(c.to_lowercase());
        }
    };
    if text.is_ascii() {
        text.chars().for_each(&mut push)
    } else {
        text.nfd().for_each(&mut push)
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_punctuation_do_not_count() {
        assert_eq!(normalize("  Café, l’Été —\n\tDON'T!! "), "cafe lete dont");
        assert_eq!(normalize("… !"), "");
    }
}
