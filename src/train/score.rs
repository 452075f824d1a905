//! How many held-out examples of a synthetic task the model answers exactly.

use super::generate::{Generator, Text};
use super::trainer::{TrainError, Trainer};
use crate::data::Tokenizer;
use crate::protocol::Sampling;

/// Held-out examples of a task that a score is of while a model trains, in the page and on the command line.
pub const SCORED_EXAMPLES: usize = 50;

/// Answers to a task's examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// How many were right to the letter.
    pub right: usize,
    /// All of them, in order.
    pub answers: Vec<Answer>,
}

/// One example and what the model made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it was given.
    pub prompt: String,
    /// What it should have written, without the line break that ends it.
    pub expected: String,
    /// What it wrote up to the line break.
    pub written: String,
}

impl Score {
    /// The share of right answers, 0 … 1.
    pub fn share(&self) -> f64 {
        self.right as f64 / self.answers.len().max(1) as f64
    }

    /// Adds one more answer.
    pub fn add(&mut self, answer: Answer) {
        self.right += usize::from(answer.written == answer.expected);
        self.answers.push(answer);
    }
}

/// Has the model answer each (prompt, answer) with its most probable tokens, up to a line break or a little past the length
/// of the right answer.
///
/// # Errors
/// When the device failed.
pub async fn exact_match(
    trainer: &mut Trainer,
    tokenizer: &Tokenizer,
    examples: &[(String, String)],
) -> Result<Score, TrainError> {
    let mut score = Score::default();
    for group in examples.chunks(trainer.max_texts(examples.len())) {
        answer(trainer, tokenizer, group).await?.into_iter().for_each(|answer| score.add(answer));
    }
    Ok(score)
}

/// Answers some examples as one batch.
///
/// # Errors
/// When the device failed, or has no memory for that many texts at once.
pub async fn answer(
    trainer: &mut Trainer,
    tokenizer: &Tokenizer,
    examples: &[(String, String)],
) -> Result<Vec<Answer>, TrainError> {
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
        // The token of the line break may begin with the last letters of the answer.
        let ids: Vec<u32> = text.generated().iter().copied().chain(text.stopped_by()).collect();
        let written = tokenizer.decode(&ids).split('\n').next().unwrap_or_default().to_string();
        Answer { prompt: prompt.clone(), expected: expected.trim_end_matches('\n').to_string(), written }
    };
    Ok(examples.iter().zip(generator.texts()).map(answer).collect())
}
