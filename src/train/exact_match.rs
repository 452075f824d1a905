//! Exact match on held-out examples of a synthetic task.

use crate::data::Tokenizer;
use crate::train::generate::{Generator, Text};
use crate::train::trainer::{TrainError, Trainer};
use crate::types::Sampling;
use crate::types::tasks::TaskAnswer;

/// Number of held-out examples for the exact-match score during training, on the page and on the command line.
pub const EXAMPLES: usize = 50;

/// Results on a task's examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactMatch {
    /// Number of exact matches.
    pub right: usize,
    /// All answers, in order.
    pub answers: Vec<TaskAnswer>,
}

impl ExactMatch {
    /// Fraction of correct answers, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.right as f64 / self.answers.len().max(1) as f64
    }

    /// Adds an answer.
    pub fn add(&mut self, answer: TaskAnswer) {
        self.right += usize::from(answer.written == answer.expected);
        self.answers.push(answer);
    }
}

/// Evaluates the model on pairs of (prompt, answer) with greedy decoding, up to a line break or slightly beyond the length of
/// the expected answer.
///
/// # Errors
/// If the device failed.
pub async fn exact_match(
    trainer: &mut Trainer,
    tokenizer: &Tokenizer,
    examples: &[(String, String)],
) -> Result<ExactMatch, TrainError> {
    let mut result = ExactMatch::default();
    for group in examples.chunks(trainer.max_texts(examples.len())) {
        answer(trainer, tokenizer, group).await?.into_iter().for_each(|answer| result.add(answer));
    }
    Ok(result)
}

/// Evaluates some examples as one batch.
///
/// # Errors
/// If the device failed, or does not have enough memory for that many texts.
pub async fn answer(
    trainer: &mut Trainer,
    tokenizer: &Tokenizer,
    examples: &[(String, String)],
) -> Result<Vec<TaskAnswer>, TrainError> {
    let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
    let line_breaks: Vec<u32> =
        (0..tokenizer.vocab_size() as u32).filter(|&id| tokenizer.token_bytes(id).contains(&b'\n')).collect();
    let text = |(prompt, expected): &(String, String)| {
        let max_tokens = tokenizer.encode(expected.trim_end_matches('\n')).len() + 2;
        Text::new(0, tokenizer.encode(prompt), line_breaks.clone(), max_tokens)
    };
    let mut generator = Generator::new(examples.iter().map(text).collect(), greedy, 0);
    generator.complete(trainer).await?;
    let answer = |((prompt, expected), text): (&(String, String), &Text)| {
        // The token with the line break may begin with the last letters of the answer.
        let ids: Vec<u32> = text.generated().iter().copied().chain(text.stopped_by()).collect();
        let written = tokenizer.decode(&ids).split('\n').next().unwrap_or_default().to_string();
        TaskAnswer { prompt: prompt.clone(), expected: expected.trim_end_matches('\n').to_string(), written }
    };
    Ok(examples.iter().zip(generator.texts()).map(answer).collect())
}
