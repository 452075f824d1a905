//! How many held-out examples of a synthetic task the model answers exactly.

use super::generate::{candidates, check_logits};
use super::trainer::{TrainError, Trainer};
use crate::data::Tokenizer;
use crate::protocol::Sampling;

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

/// Lets the model answer each (prompt, answer) with its likeliest tokens, up to a line break or a little past the length
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
    for (prompt, expected) in examples {
        score.add(answer(trainer, tokenizer, prompt, expected).await?);
    }
    Ok(score)
}

/// Answers one example.
///
/// # Errors
/// When the device failed.
pub async fn answer(
    trainer: &mut Trainer,
    tokenizer: &Tokenizer,
    prompt: &str,
    expected: &str,
) -> Result<Answer, TrainError> {
    let likeliest = Sampling { temperature: 0.0, ..Sampling::default() };
    let expected = expected.trim_end_matches('\n').to_string();
    let mut ids = tokenizer.encode(prompt);
    let prompt_len = ids.len();
    let most = tokenizer.encode(&expected).len() + 2;
    let mut written = String::new();
    while ids.len() - prompt_len < most && !written.contains('\n') {
        let logits = trainer.next_logits(&ids).await?;
        check_logits(&logits)?;
        ids.extend(candidates(&logits, &likeliest).first().map(|&(id, _)| id));
        written = tokenizer.decode(&ids[prompt_len..]);
    }
    let written = written.split('\n').next().unwrap_or_default().to_string();
    Ok(Answer { prompt: prompt.to_string(), expected, written })
}
