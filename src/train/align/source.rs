//! The rows that fine-tuning learns from.

use super::Example;
use super::examples::Examples;
use crate::align::{AlignError, PromptTemplate, TokenRow};
use crate::data::Tokenizer;
use crate::rng::Rng;
use crate::train::trainer::BatchSource;

/// The random streams of an update's prompts; its number is added.
const PROMPT_STREAM: u64 = 6 << 32;

/// Number of examples from which the longest answer is taken.
const MEASURED_ANSWERS: usize = 256;

/// Examples, and how they become rows of tokens.
pub struct ExampleRows {
    /// The examples.
    pub examples: Examples,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// What surrounds prompts and responses.
    pub template: PromptTemplate,
    /// Decides together with the step which prompts are drawn.
    pub seed: u64,
}

impl ExampleRows {
    /// The prompts of the update after `step` steps.
    pub(super) fn prompts(&self, step: u64, n: usize) -> Vec<Example> {
        self.examples.draw(&mut Rng::with_stream(self.seed, PROMPT_STREAM + 1 + step), n)
    }

    /// Up to `n` held-out prompts.
    pub(super) fn held_out(&self, n: usize) -> Vec<Example> {
        self.examples.held_out(self.seed, n)
    }

    /// A prompt with a response.
    ///
    /// # Errors
    /// When the tokenizer lacks the end-of-text token.
    pub(super) fn row(&self, prompt: &str, response: &str) -> Result<TokenRow, AlignError> {
        self.template.row(&self.tokenizer, prompt, response)
    }

    /// The number of tokens of the longest answer that is known, its end included.
    pub(super) fn longest_answer(&self) -> usize {
        let lens = |example: Example| {
            let answer = example.answer.unwrap_or_default();
            self.template.response_ids(&self.tokenizer, &answer).map_or(0, |ids| ids.len())
        };
        let mut rng = Rng::with_stream(self.seed, PROMPT_STREAM);
        self.examples.draw(&mut rng, MEASURED_ANSWERS).into_iter().map(lens).max().unwrap_or(0)
    }
}

impl BatchSource for ExampleRows {
    fn rows(&self, step: u64, n: usize) -> Option<Result<Vec<TokenRow>, AlignError>> {
        let row = |example: Example| self.row(&example.prompt, example.answer.as_deref().unwrap_or_default());
        Some(self.prompts(step, n).into_iter().map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::ResponseRow;
    use crate::data::{END_OF_TEXT, train};

    #[test]
    fn a_step_always_gets_the_same_rows_of_the_training_part() {
        let row = |n: usize| ResponseRow { prompt: format!("{n}+{n}="), response: format!("{}", 2 * n) };
        let source = ExampleRows {
            examples: Examples::from_responses((0..50).map(row).collect()),
            tokenizer: Tokenizer::new(&train("\n", 257, &[END_OF_TEXT]).unwrap()).unwrap(),
            template: PromptTemplate::line(),
            seed: 7,
        };
        let rows = |step| source.rows(step, 8).unwrap().unwrap();
        assert_eq!(rows(3), rows(3));
        assert_ne!(rows(3), rows(4));
        let held_out: Vec<TokenRow> =
            source.held_out(50).iter().map(|row| source.row(&row.prompt, "2").unwrap()).collect();
        assert!(
            !held_out.is_empty()
                && (0..20).flat_map(rows).all(|row| {
                    held_out.iter().all(|held_out| !row.ids.starts_with(&held_out.ids[..held_out.prompt_len]))
                })
        );
    }
}
