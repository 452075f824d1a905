//! The prompts of an alignment run: a synthetic task, or the user's rows.

use crate::align::{PreferenceRow, PromptRow, ResponseRow, split_held_out};
use crate::data::Task;
use crate::rng::Rng;

/// A prompt with its answer, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The prompt.
    pub prompt: String,
    /// The answer, or the response to imitate.
    pub answer: Option<String>,
}

/// Two responses to a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The prompt.
    pub prompt: String,
    /// The better response.
    pub chosen: String,
    /// The worse response.
    pub rejected: String,
}

/// Where prompts come from. Held-out prompts are never drawn for training.
#[derive(Clone, Debug)]
pub enum Examples {
    /// A synthetic task, whose training prompts are drawn again for every update.
    Task(Task),
    /// Rows of the user's file.
    Rows {
        /// Rows to train on.
        train: Vec<Example>,
        /// Rows to evaluate on.
        held_out: Vec<Example>,
    },
    /// The user's preferences.
    Pairs {
        /// Pairs to train on.
        train: Vec<Pair>,
        /// Pairs to evaluate on.
        held_out: Vec<Pair>,
    },
}

impl Examples {
    /// Prompts with answers, of which a fifth is held out.
    pub fn from_prompts(rows: Vec<PromptRow>) -> Self {
        Self::split(rows.into_iter().map(|PromptRow { prompt, answer }| Example { prompt, answer }).collect())
    }

    /// Prompts with responses to imitate, of which a fifth is held out.
    pub fn from_responses(rows: Vec<ResponseRow>) -> Self {
        let example = |ResponseRow { prompt, response }| Example { prompt, answer: Some(response) };
        Self::split(rows.into_iter().map(example).collect())
    }

    /// Preferences, of which a fifth is held out.
    pub fn from_preferences(rows: Vec<PreferenceRow>) -> Self {
        let pair = |PreferenceRow { prompt, chosen, rejected }| Pair { prompt, chosen, rejected };
        let pairs: Vec<Pair> = rows.into_iter().map(pair).collect();
        let (train, held_out) = split_held_out(pairs, |pair| &pair.prompt);
        Self::Pairs { train, held_out }
    }

    fn split(rows: Vec<Example>) -> Self {
        let (train, held_out) = split_held_out(rows, |row| &row.prompt);
        Self::Rows { train, held_out }
    }

    /// Whether there is nothing to train on.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Task(_) => false,
            Self::Rows { train, .. } => train.is_empty(),
            Self::Pairs { train, .. } => train.is_empty(),
        }
    }

    /// `n` examples for training. Examples of pairs have no answer.
    ///
    /// # Panics
    /// When there are none ([`Examples::is_empty`]).
    pub fn draw(&self, rng: &mut Rng, n: usize) -> Vec<Example> {
        let one = |rng: &mut Rng| match self {
            Self::Task(task) => {
                let (prompt, answer) = task.training_example(rng);
                Example { prompt, answer: Some(answer) }
            }
            Self::Rows { train, .. } => rng.choose(train).clone(),
            Self::Pairs { train, .. } => Example { prompt: rng.choose(train).prompt.clone(), answer: None },
        };
        (0..n).map(|_| one(rng)).collect()
    }

    /// Up to `n` held-out examples, always the same.
    pub fn held_out(&self, seed: u64, n: usize) -> Vec<Example> {
        match self {
            Self::Task(task) => {
                let example = |(prompt, answer)| Example { prompt, answer: Some(answer) };
                task.examples(seed, n).into_iter().map(example).collect()
            }
            Self::Rows { held_out, .. } => held_out.iter().take(n).cloned().collect(),
            Self::Pairs { held_out, .. } => {
                let prompt = |pair: &Pair| Example { prompt: pair.prompt.clone(), answer: None };
                held_out.iter().take(n).map(prompt).collect()
            }
        }
    }
}
