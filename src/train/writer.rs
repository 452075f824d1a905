//! One text that grows token by token, with an explanation of every token.

use super::explain::{Telling, explain};
use super::generate::{Generator, Text};
use super::trainer::{TrainError, Trainer};
use crate::data::Tokenizer;
use crate::protocol::Sampling;
use crate::protocol::writing::WrittenToken;

/// A text that grows token by token: a [`Generator`] of one.
pub struct Writer {
    generator: Generator,
    /// Tokens that were not told yet, with what else could have been chosen.
    untold: Vec<WrittenToken>,
    telling: Telling,
}

impl Writer {
    /// Begins after `prompt`, or at the beginning of a new text when it is empty.
    pub fn new(tokenizer: &Tokenizer, prompt: &str, sampling: Sampling) -> Self {
        let (ids, stop) = (tokenizer.encode_prompt(prompt), tokenizer.ends().stops.clone());
        let generator = Generator::new(vec![Text::new(0, ids, stop, sampling.max_tokens)], sampling, 0);
        Self { generator, untold: Vec::new(), telling: Telling::default() }
    }

    /// Writes one token; ends at a token that the model stops at, or after `max_tokens`.
    ///
    /// # Errors
    /// When the device failed, or the model's logits are not numbers to choose by.
    pub async fn write(&mut self, trainer: &mut Trainer) -> Result<(), TrainError> {
        for draw in self.generator.advance(trainer).await? {
            let logits = self.generator.logits(&draw);
            self.untold.push(explain(logits, self.generator.sampling(), draw.id, draw.n_candidates));
        }
        Ok(())
    }

    /// Whether the text is finished.
    pub fn done(&self) -> bool {
        self.generator.done()
    }

    /// The tokens since the last call, each with what else could have been chosen.
    pub fn written(&mut self, tokenizer: &Tokenizer) -> Vec<WrittenToken> {
        let mut tokens = std::mem::take(&mut self.untold);
        self.telling.tell(&mut tokens, tokenizer, self.done());
        tokens
    }

    /// What was written so far, without the prompt. While it grows, a character whose bytes are not all there yet is
    /// left out.
    pub fn text(&self, tokenizer: &Tokenizer) -> String {
        let text = tokenizer.decode(self.generator.texts()[0].generated());
        if self.done() { text } else { text.trim_end_matches('\u{FFFD}').to_string() }
    }
}
