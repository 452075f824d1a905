//! Generating several texts at once. Each token is drawn with a random number that depends on the seed, the step, the text's
//! number and the position alone: a batch can be cut into smaller ones and every text stays the same up to rounding.

pub mod sampling;

use self::sampling::{candidates, check_logits, choose};
use super::trainer::question::log_sum_exp;
use super::trainer::{TrainError, Trainer};
use crate::protocol::Sampling;
use crate::rng::philox::uniform;

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
    /// A text that begins with the ids of `prompt` and ends before a token of `stop`, or after `max_tokens` tokens. Texts with
    /// other numbers draw other random numbers.
    pub fn new(number: u32, prompt: Vec<u32>, stop: Vec<u32>, max_tokens: usize) -> Self {
        let (prompt_len, stopped_by, log_probs) = (prompt.len(), None, Vec::new());
        Self { number, ids: prompt, prompt_len, stop, max_tokens, stopped_by, log_probs }
    }

    /// The tokens after the prompt, without the one that ended the text.
    pub fn generated(&self) -> &[u32] {
        &self.ids[self.prompt_len..]
    }

    /// The token that ended the text.
    pub fn stopped_by(&self) -> Option<u32> {
        self.stopped_by
    }

    /// ln p of every generated token, the one that ended the text included, at temperature 1 and before top-k and top-p.
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

/// A token that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The index of its text.
    pub text: usize,
    /// Its id.
    pub id: u32,
    /// How many tokens top-k and top-p left to choose from.
    pub n_candidates: usize,
    /// Its row of the logits.
    row: usize,
}

/// Several texts that grow together, a token each at a time.
pub struct Generator {
    texts: Vec<Text>,
    sampling: Sampling,
    step: u64,
    /// The indices of the texts that are computed. Complete ones leave when the batch can be halved.
    batch: Vec<usize>,
    /// (rows of the batch, V)
    logits: Vec<f32>,
    vocab_size: usize,
}

impl Generator {
    /// A generator for `texts`. Their own `max_tokens` count, not that of `sampling`; `step` tells apart batches of one seed.
    pub fn new(texts: Vec<Text>, sampling: Sampling, step: u64) -> Self {
        let batch = (0..texts.len()).collect();
        Self { texts, sampling, step, batch, logits: Vec::new(), vocab_size: 0 }
    }

    /// Adds a token to every text that is not complete, and returns these tokens in the order of the texts.
    ///
    /// # Errors
    /// When the device failed, has no memory for that many texts at once, or computes logits that are not numbers to choose
    /// by.
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

    /// Adds tokens until every text is complete.
    ///
    /// # Errors
    /// As [`Generator::advance`].
    pub async fn complete(&mut self, trainer: &mut Trainer) -> Result<(), TrainError> {
        while !self.done() {
            self.advance(trainer).await?;
        }
        Ok(())
    }

    /// The logits (V) that a token of the latest [`Generator::advance`] was drawn from.
    pub fn logits(&self, draw: &Draw) -> &[f32] {
        &self.logits[draw.row * self.vocab_size..][..self.vocab_size]
    }

    /// The texts, in the order they were given.
    pub fn texts(&self) -> &[Text] {
        &self.texts
    }

    /// How tokens are drawn.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Whether every text is complete.
    pub fn done(&self) -> bool {
        self.texts.iter().all(Text::done)
    }

    /// Drops complete texts from the batch once half of it or less is left, as a power of two: a smaller batch computes all
    /// prompts once more, and the number of different batch sizes stays small.
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
