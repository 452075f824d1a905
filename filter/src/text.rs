//! A document's text with what several rules count in it.

use std::cell::OnceCell;

use crate::{chars, words};

/// A text whose words are split once, on first use.
pub struct Text<'t> {
    /// The text.
    pub text: &'t str,
    /// The number of characters.
    pub n_chars: usize,
    words: OnceCell<Vec<&'t str>>,
}

impl<'t> Text<'t> {
    /// Prepares a text for the rules.
    pub fn new(text: &'t str) -> Self {
        Self { text, n_chars: chars::count(text), words: OnceCell::new() }
    }

    /// The words, in order.
    pub fn words(&self) -> &[&'t str] {
        self.words.get_or_init(|| words::words(self.text))
    }
}
