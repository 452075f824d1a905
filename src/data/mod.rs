//! Text, tokens and batches. Knows nothing of the GPU.
//!
//! Stories (`corpus`) or the user's own text → pieces (`pretokenize`) → a vocabulary (`bpe`) → ids
//! (`tokenizer`) → training and held-out tokens (`dataset`) → what a model has to beat (`baselines`).

mod baselines;
mod bpe;
mod corpus;
mod dataset;
mod error;
mod pretokenize;
mod tokenizer;

pub use baselines::{Bigram, baselines};
pub use bpe::{BpeTrainer, Merge, Vocabulary, train};
pub use corpus::{PROBE, StoryGenerator, stories};
pub use dataset::{Dataset, batch_starts, decode_text, evaluation_starts, split};
pub use error::DataError;
pub use pretokenize::{Piece, pieces, pretokens};
pub use tokenizer::{END_OF_TEXT, Tokenizer};
