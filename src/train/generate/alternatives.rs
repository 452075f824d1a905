//! Explains generated tokens: the most likely alternatives, and how many tokens top-k and top-p left.

use crate::data::Tokenizer;
use crate::train::top_k::{order, top_k};
use crate::types::Sampling;
use crate::types::sampling::{Choice, WrittenToken};

/// Number of alternatives per token.
const TOLD: usize = 8;

/// Explains a chosen token, without texts. `logits` (V) are the logits it was sampled from; `kept_by_p` is the number of tokens
/// left by top-k and top-p.
pub fn explain(logits: &[f32], sampling: &Sampling, chosen: u32, kept_by_p: usize) -> WrittenToken {
    let v = logits.len();
    let mut ranked: Vec<(usize, u32)> = top_k(logits, TOLD).into_iter().enumerate().collect();
    if ranked.iter().all(|&(_, id)| id != chosen) && (chosen as usize) < v {
        let rank = (0..v as u32).filter(|&other| order(logits, other, chosen).is_lt()).count();
        ranked.push((rank, chosen));
    }
    let largest = ranked.first().map_or(0.0, |&(_, id)| logits[id as usize]);
    let [plain_sum, tempered_sum] = [1.0, sampling.temperature].map(|temperature| sum(logits, largest, temperature));
    let choice = |(rank, id): (usize, u32)| {
        let above = logits[id as usize] - largest;
        let plain = above.exp() / plain_sum;
        let tempered = match sampling.temperature > 0.0 {
            true => (above / sampling.temperature).exp() / tempered_sum,
            false => f32::from(u8::from(rank == 0)),
        };
        Choice { id, text: String::new(), rank, plain, tempered }
    };
    let kept_by_k = match (sampling.temperature > 0.0, sampling.top_k) {
        (false, _) => 1,
        (true, 0) => v,
        (true, top_k) => top_k.min(v),
    };
    let choices = ranked.into_iter().map(choice).collect();
    WrittenToken { id: chosen, text: String::new(), choices, kept_by_k, kept_by_p }
}

/// Σ exp((logit − largest) / temperature)
fn sum(logits: &[f32], largest: f32, temperature: f32) -> f32 {
    logits.iter().map(|logit| ((logit - largest) / temperature.max(1e-9)).exp()).sum()
}

/// Adds texts to explained tokens, in the order in which they were generated.
#[derive(Default)]
pub struct Telling {
    /// Bytes of an incomplete character.
    pending: Vec<u8>,
}

impl Telling {
    /// Fills in the texts; `last` means that no tokens follow.
    pub fn tell(&mut self, tokens: &mut [WrittenToken], tokenizer: &Tokenizer, last: bool) {
        for token in tokens.iter_mut() {
            token.choices.iter_mut().for_each(|choice| choice.text = tokenizer.token_text(choice.id));
            if !tokenizer.stops_at(token.id) {
                self.pending.extend(tokenizer.token_bytes(token.id));
                token.text = self.whole_characters();
            }
        }
        if let Some(token) = tokens.last_mut().filter(|_| last && !self.pending.is_empty()) {
            token.text.push_str(&String::from_utf8_lossy(&std::mem::take(&mut self.pending)));
        }
    }

    /// The complete characters of the pending bytes; an incomplete character remains pending.
    fn whole_characters(&mut self) -> String {
        let mut end = 0;
        while let Err(error) = std::str::from_utf8(&self.pending[end..]) {
            end += error.valid_up_to() + error.error_len().unwrap_or(0);
            if error.error_len().is_none() {
                let text = String::from_utf8_lossy(&self.pending[..end]).into_owned();
                self.pending.drain(..end);
                return text;
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}
