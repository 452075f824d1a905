//! Generates several texts at once. Each token is sampled with a random number that depends only on the seed, the step, the
//! text's number and the position: splitting a batch into smaller ones changes the texts only by rounding.

pub mod alternatives;
pub mod sampling;
pub mod writer;

use self::sampling::{candidates, check_logits, choose};
use crate::rng::philox::uniform;
use crate::train::trainer::inspect::log_sum_exp;
use crate::train::trainer::{TrainError, Trainer};
use crate::types::Sampling;

/// One of the texts of a [`Generator`].
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    number: u32,
    ids: Vec<u32>,
    prompt_len: usize,
    stop: Vec<u32>,
    max_tokens: usize,
    stopped_by: Option<u32>,
    log_probs: Vec<f32>,
}

impl Text {
    /// A text that starts with the ids of `prompt` and ends before a token of `stop`, or after `max_tokens` tokens. Texts with
    /// different numbers use different random numbers.
    pub fn new(number: u32, prompt: Vec<u32>, stop: Vec<u32>, max_tokens: usize) -> Self {
        let (prompt_len, stopped_by, log_probs) = (prompt.len(), None, Vec::new());
        Self { number, ids: prompt, prompt_len, stop, max_tokens, stopped_by, log_probs }
    }

    /// The ids of the prompt and of the tokens after it, without the one that ended the text.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The tokens after the prompt, without the one that ended the text.
    pub fn generated(&self) -> &[u32] {
        &self.ids[self.prompt_len..]
    }

    /// The token that ended the text.
    pub fn stopped_by(&self) -> Option<u32> {
        self.stopped_by
    }

    /// Log-probability of every generated token, including the one that ended the text, at temperature 1 and before top-k and
    /// top-p.
    pub fn log_probs(&self) -> &[f32] {
        &self.log_probs
    }

    /// Whether the text is complete.
    pub fn done(&self) -> bool {
        self.stopped_by.is_some() || self.generated().len() >= self.max_tokens
    }

    fn add(&mut self, id: u32, log_prob: f32) {
        self.log_probs.push(log_prob);
        if self.stop.contains(&id) {
            self.stopped_by = Some(id);
        } else {
            self.ids.push(id);
        }
    }
}

/// A sampled token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Index of its text.
    pub text: usize,
    /// Token id.
    pub id: u32,
    /// Number of candidates after top-k and top-p.
    pub n_candidates: usize,
    /// The text's row in the logits.
    row: usize,
}

/// Generates several texts, one token each per step.
pub struct Generator {
    texts: Vec<Text>,
    sampling: Sampling,
    step: u64,
    /// Indices of the texts that are computed. Complete ones are removed when the batch can be halved.
    batch: Vec<usize>,
    /// (rows of the batch, V)
    logits: Vec<f32>,
    vocab_size: usize,
}

impl Generator {
    /// A generator for `texts`. Their own `max_tokens` apply, not that of `sampling`; `step` distinguishes batches with the
    /// same seed.
    pub fn new(texts: Vec<Text>, sampling: Sampling, step: u64) -> Self {
        let batch = (0..texts.len()).collect();
        Self { texts, sampling, step, batch, logits: Vec::new(), vocab_size: 0 }
    }

    /// Adds a token to every incomplete text, and returns these tokens in the order of the texts.
    ///
    /// # Errors
    /// If the device failed, does not have enough memory for that many texts, or computes logits that cannot be sampled from.
    pub async fn advance(&mut self, trainer: &mut Trainer) -> Result<Vec<Draw>, TrainError> {
        self.shrink();
        if self.batch.is_empty() {
            return Ok(Vec::new());
        }
        if self.logits.is_empty() {
            trainer.clear_cache();
        }
        let texts: Vec<&[u32]> = self.batch.iter().map(|&index| self.texts[index].ids.as_slice()).collect();
        self.logits = trainer.next_logits_of(&texts).await?;
        self.vocab_size = trainer.config().model.vocab_size;
        let mut draws = Vec::new();
        for (row, &index) in self.batch.iter().enumerate() {
            let text = &mut self.texts[index];
            if text.done() {
                continue;
            }
            let logits = &self.logits[row * self.vocab_size..][..self.vocab_size];
            check_logits(logits)?;
            let candidates = candidates(logits, &self.sampling);
            let counter = [text.ids.len() as u32, text.number, self.step as u32, (self.step >> 32) as u32];
            let Some(id) = choose(&candidates, uniform(self.sampling.seed, counter)) else {
                text.max_tokens = text.generated().len(); // a vocabulary of no tokens
                continue;
            };
            let log_prob = (f64::from(logits[id as usize]) - log_sum_exp(logits)) as f32;
            text.add(id, log_prob);
            draws.push(Draw { text: index, id, n_candidates: candidates.len(), row });
        }
        Ok(draws)
    }

    /// Generates tokens until every text is complete.
    ///
    /// # Errors
    /// As [`Generator::advance`].
    pub async fn complete(&mut self, trainer: &mut Trainer) -> Result<(), TrainError> {
        while !self.done() {
            self.advance(trainer).await?;
        }
        Ok(())
    }

    /// The logits (V) from which a token of the latest [`Generator::advance`] was sampled.
    pub fn logits(&self, draw: &Draw) -> &[f32] {
        &self.logits[draw.row * self.vocab_size..][..self.vocab_size]
    }

    /// The texts, in the given order.
    pub fn texts(&self) -> &[Text] {
        &self.texts
    }

    /// The sampling settings.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Whether every text is complete.
    pub fn done(&self) -> bool {
        self.texts.iter().all(Text::done)
    }

    /// Removes complete texts from the batch once the number of incomplete ones, rounded up to a power of two, is at most half
    /// of it: a smaller batch has to recompute all prompts, and this keeps the number of different batch sizes small.
    fn shrink(&mut self) {
        let (mut growing, complete): (Vec<_>, Vec<_>) =
            self.batch.iter().partition(|&&index| !self.texts[index].done());
        let size = growing.len().next_power_of_two();
        if growing.is_empty() {
            self.batch.clear();
        } else if size <= self.batch.len() / 2 {
            let padding = size - growing.len();
            growing.extend(complete.into_iter().take(padding));
            growing.sort_unstable();
            self.batch = growing;
        }
    }
}
