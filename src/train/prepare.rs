//! From text to tokens: what has to be there before a model can be built.

use crate::config::RunConfig;
use crate::data::{self, DataError, Dataset, END_OF_TEXT, Tokenizer};
use crate::protocol::Baselines;

/// Text, tokenizer and tokens of a run.
pub struct PreparedData {
    /// Trained on the training part of the text.
    pub tokenizer: Tokenizer,
    /// The tokens, split.
    pub dataset: Dataset,
    /// What the model has to beat on the held-out part.
    pub baselines: Baselines,
}

/// The tokenizer learns from at most this much text; more changes its merges hardly at all.
pub(super) const TOKENIZER_BYTES: usize = 8 << 20;

/// How much of the built-in corpus a run of this size deserves, in bytes: more parameters take longer to learn it by
/// heart.
pub fn built_in_bytes(config: &RunConfig) -> usize {
    ((2 << 20) + 8 * config.model.n_params()).min(16 << 20) as usize
}

/// The part of `text` that a tokenizer learns from.
pub fn tokenizer_text(text: &str) -> &str {
    let (train, _) = data::split(text);
    let end = (0..=TOKENIZER_BYTES.min(train.len())).rev().find(|&at| train.is_char_boundary(at)).unwrap_or(0);
    &train[..end]
}

/// Trains a tokenizer of `config.model.vocab_size` on the training part of `text`, and sets the size to what came of
/// it: a short text has too few pairs to merge.
///
/// # Errors
/// When the text is too short or the vocabulary too small.
pub fn train_tokenizer(text: &str, config: &mut RunConfig) -> Result<Tokenizer, DataError> {
    let vocabulary = data::train(tokenizer_text(text), config.model.vocab_size, &[END_OF_TEXT])?;
    let tokenizer = Tokenizer::new(&vocabulary)?;
    config.model.vocab_size = tokenizer.vocab_size();
    Ok(tokenizer)
}

/// Encodes and splits `text` and counts the baselines.
///
/// # Errors
/// When the text is too short for the context.
pub fn encode(text: &str, tokenizer: Tokenizer, config: &RunConfig) -> Result<PreparedData, DataError> {
    let dataset = Dataset::new(&tokenizer, text, config.model.context_length)?;
    let baselines = data::baselines(&dataset.train, &dataset.val, config.model.vocab_size);
    Ok(PreparedData { tokenizer, dataset, baselines })
}
