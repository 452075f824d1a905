//! Prepares the training data: from text to tokens.

use crate::config::RunConfig;
use crate::data::{self, DataError, Dataset, END_OF_TEXT, Tokenizer};
use crate::types::Baselines;

/// Text, tokenizer and tokens of a run.
pub struct PreparedData {
    /// Trained on the training part of the text.
    pub tokenizer: Tokenizer,
    /// The tokens, split.
    pub dataset: Dataset,
    /// Losses of simple models on the held-out part.
    pub baselines: Baselines,
}

/// Maximum amount of text for training a tokenizer; more text hardly changes the merges.
pub(super) const TOKENIZER_BYTES: usize = 8 << 20;

/// Size of the built-in corpus for a run, in bytes: more parameters need more text to avoid memorizing it.
pub fn built_in_bytes(config: &RunConfig) -> usize {
    ((2 << 20) + 8 * config.model.n_params()).min(16 << 20) as usize
}

/// The part of `text` on which a tokenizer is trained.
pub fn tokenizer_text(text: &str) -> &str {
    let (train, _) = data::split(text);
    let end = (0..=TOKENIZER_BYTES.min(train.len())).rev().find(|&at| train.is_char_boundary(at)).unwrap_or(0);
    &train[..end]
}

/// Trains a tokenizer of `config.model.vocab_size` on the training part of `text`, and sets that size to the actual vocabulary
/// size: a short text has too few pairs to merge.
///
/// # Errors
/// If the text is too short or the vocabulary too small.
pub fn train_tokenizer(text: &str, config: &mut RunConfig) -> Result<Tokenizer, DataError> {
    train_tokenizer_on(tokenizer_text(text), config)
}

/// As [`train_tokenizer`], on all of `text`.
///
/// # Errors
/// As [`train_tokenizer`].
pub(super) fn train_tokenizer_on(text: &str, config: &mut RunConfig) -> Result<Tokenizer, DataError> {
    let vocabulary = data::train(text, config.model.vocab_size, &[END_OF_TEXT])?;
    let tokenizer = Tokenizer::new(&vocabulary)?;
    config.model.vocab_size = tokenizer.vocab_size();
    Ok(tokenizer)
}

/// Encodes and splits `text`, and computes the baselines.
///
/// # Errors
/// If the text is too short for the context.
pub fn encode(text: &str, tokenizer: Tokenizer, config: &RunConfig) -> Result<PreparedData, DataError> {
    let dataset = Dataset::new(&tokenizer, text, config.model.context_length)?;
    let baselines = data::baselines(&dataset.train, &dataset.val, config.model.vocab_size);
    Ok(PreparedData { tokenizer, dataset, baselines })
}
