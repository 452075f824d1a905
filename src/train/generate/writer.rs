//! Generates one text token by token and explains every token.

use super::alternatives::{Telling, explain};
use super::{Generator, Text};
use crate::data::Tokenizer;
use crate::train::trainer::{TrainError, Trainer};
use crate::types::Sampling;
use crate::types::sampling::WrittenToken;

/// Generates one text: a [`Generator`] with a single text.
pub struct Writer {
    generator: Generator,
    /// Tokens that have not been reported yet, with their alternatives.
    untold: Vec<WrittenToken>,
    telling: Telling,
}

impl Writer {
    /// Starts after `prompt`, or with a new text if it is empty.
    pub fn new(tokenizer: &Tokenizer, prompt: &str, sampling: Sampling) -> Self {
        let (ids, stop) = (tokenizer.encode_prompt(prompt), tokenizer.ends().stops.clone());
        let generator = Generator::new(vec![Text::new(0, ids, stop, sampling.max_tokens)], sampling, 0);
        Self { generator, untold: Vec::new(), telling: Telling::default() }
    }

    /// Generates one token; ends at a stop token, or after `max_tokens`.
    ///
    /// # Errors
    /// If the device failed, or the model's logits cannot be sampled from.
    pub async fn write(&mut self, trainer: &mut Trainer) -> Result<(), TrainError> {
        for draw in self.generator.advance(trainer).await? {
            let logits = self.generator.logits(&draw);
            self.untold.push(explain(logits, self.generator.sampling(), draw.id, draw.n_candidates));
        }
        Ok(())
    }

    /// Whether the text is complete.
    pub fn done(&self) -> bool {
        self.generator.done()
    }

    /// The tokens since the last call, each with its alternatives.
    pub fn written(&mut self, tokenizer: &Tokenizer) -> Vec<WrittenToken> {
        let mut tokens = std::mem::take(&mut self.untold);
        self.telling.tell(&mut tokens, tokenizer, self.done());
        tokens
    }

    /// The text so far, without the prompt. While it is incomplete, a trailing incomplete character is omitted.
    pub fn text(&self, tokenizer: &Tokenizer) -> String {
        let text = tokenizer.decode(self.generator.texts()[0].generated());
        if self.done() { text } else { text.trim_end_matches('\u{FFFD}').to_string() }
    }
}
