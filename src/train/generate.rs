//! Writing text: from logits to the next token, again and again.

use super::explain::{Telling, explain};
use super::trainer::{TrainError, Trainer};
use crate::data::Tokenizer;
use crate::protocol::Sampling;
use crate::protocol::writing::WrittenToken;
use crate::rng::Rng;

/// The stream of the seed that chooses tokens.
const SAMPLING_STREAM: u64 = 2 << 32;

/// The tokens to choose from and their probabilities, likeliest first: softmax of logits / temperature, of which
/// `top_k` and then `top_p` keep the head. Temperature 0 keeps the likeliest alone.
pub fn candidates(logits: &[f32], sampling: &Sampling) -> Vec<(u32, f32)> {
    let mut sorted: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let keep = match (sampling.temperature > 0.0, sampling.top_k) {
        (false, _) => 1,
        (true, 0) => sorted.len(),
        (true, top_k) => top_k,
    };
    sorted.truncate(keep);
    let largest = sorted.first().map_or(0.0, |&(_, logit)| logit);
    let temperature = if sampling.temperature > 0.0 { sampling.temperature } else { 1.0 };
    sorted.iter_mut().for_each(|(_, logit)| *logit = ((*logit - largest) / temperature).exp());
    let sum: f32 = sorted.iter().map(|&(_, weight)| weight).sum();
    let mut reached = 0.0;
    let end = sorted.iter().position(|&(_, weight)| {
        reached += weight / sum;
        reached >= sampling.top_p
    });
    sorted.truncate(end.map_or(sorted.len(), |last| last + 1));
    let kept: f32 = sorted.iter().map(|&(_, weight)| weight).sum();
    sorted.iter_mut().for_each(|(_, weight)| *weight /= kept);
    sorted
}

/// Whether there is something to choose by: no logit is NaN or positive infinity, and one is finite.
///
/// # Errors
/// When there is not.
pub fn check_logits(logits: &[f32]) -> Result<(), TrainError> {
    match logits.iter().find(|logit| logit.is_nan() || **logit == f32::INFINITY) {
        Some(&logit) => Err(TrainError::Logits { logit }),
        None if logits.iter().all(|logit| !logit.is_finite()) => Err(TrainError::Logits { logit: f32::NEG_INFINITY }),
        None => Ok(()),
    }
}

/// Chooses one of the candidates at random, by their probabilities.
pub fn choose(candidates: &[(u32, f32)], rng: &mut Rng) -> Option<u32> {
    let mut left = rng.uniform() as f32;
    for &(id, probability) in candidates {
        left -= probability;
        if left < 0.0 {
            return Some(id);
        }
    }
    candidates.last().map(|&(id, _)| id) // rounding may leave a crumb
}

/// A text that grows token by token.
pub struct Writer {
    ids: Vec<u32>,
    prompt_len: usize,
    sampling: Sampling,
    rng: Rng,
    done: bool,
    /// Tokens that were not told yet, with what else could have been chosen.
    untold: Vec<WrittenToken>,
    telling: Telling,
}

impl Writer {
    /// Begins after `prompt`, or at the beginning of a new text when it is empty.
    pub fn new(tokenizer: &Tokenizer, prompt: &str, sampling: Sampling) -> Self {
        let ids = tokenizer.encode_prompt(prompt);
        let rng = Rng::with_stream(sampling.seed, SAMPLING_STREAM);
        let (untold, telling) = (Vec::new(), Telling::default());
        Self { prompt_len: ids.len(), ids, done: sampling.max_tokens == 0, sampling, rng, untold, telling }
    }

    /// Writes one token; ends at a token that the model stops at, or after `max_tokens`.
    ///
    /// # Errors
    /// When the device failed, or the model's logits are not numbers to choose by.
    pub async fn write(&mut self, trainer: &mut Trainer, tokenizer: &Tokenizer) -> Result<(), TrainError> {
        if self.done {
            return Ok(());
        }
        let logits = trainer.next_logits(&self.ids).await?;
        check_logits(&logits)?;
        let candidates = candidates(&logits, &self.sampling);
        let chosen = choose(&candidates, &mut self.rng);
        self.untold.extend(chosen.map(|id| explain(&logits, &self.sampling, id, candidates.len())));
        match chosen {
            Some(id) if !tokenizer.stops_at(id) => self.ids.push(id),
            _ => self.done = true,
        }
        self.done |= self.ids.len() - self.prompt_len >= self.sampling.max_tokens;
        Ok(())
    }

    /// Whether the text is finished.
    pub fn done(&self) -> bool {
        self.done
    }

    /// The tokens since the last call, each with what else could have been chosen.
    pub fn written(&mut self, tokenizer: &Tokenizer) -> Vec<WrittenToken> {
        let mut tokens = std::mem::take(&mut self.untold);
        self.telling.tell(&mut tokens, tokenizer, self.done);
        tokens
    }

    /// What was written so far, without the prompt. While it grows, a character whose bytes are not all there yet is
    /// left out.
    pub fn text(&self, tokenizer: &Tokenizer) -> String {
        let text = tokenizer.decode(&self.ids[self.prompt_len..]);
        if self.done { text } else { text.trim_end_matches('\u{FFFD}').to_string() }
    }
}
