//! Attention maps of a probe as an event.

use crate::data::Tokenizer;
use crate::train::trainer::{AttentionMaps, TrainError, Trainer};
use crate::types::{RunId, Token};
use crate::wire::{Event, Message};

/// The tokens with these ids.
pub fn tokens(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<Token> {
    ids.iter().map(|&id| Token { id, text: tokenizer.token_text(id) }).collect()
}

/// The token ids of a probe, of which a model uses the first `most`, and the number of ids that were cut.
pub fn cut_probe(tokenizer: &Tokenizer, text: &str, most: usize) -> (Vec<u32>, usize) {
    let mut probe = tokenizer.encode_with_template(text);
    let cut = probe.len().saturating_sub(most);
    probe.truncate(most);
    (probe, cut)
}

/// The attention maps of a probe, of which some tokens were cut.
///
/// # Errors
/// If the device failed.
pub async fn attention(
    run: RunId,
    trainer: &mut Trainer,
    tokenizer: &Tokenizer,
    (probe, tokens_cut): (&[u32], usize),
) -> Result<Message, TrainError> {
    let AttentionMaps { mut bytes, entropies } = trainer.attention_maps(probe).await?;
    bytes.extend(entropies.iter().flat_map(|entropy| entropy.to_le_bytes()));
    let model = &trainer.config().model;
    let (n_layers, n_heads, causal) = (model.n_layers, model.n_heads, model.causal);
    let (step, tokens) = (trainer.step(), tokens(tokenizer, probe));
    Ok((Event::Attention { run, step, tokens, n_layers, n_heads, causal, tokens_cut }, Some(bytes)))
}
