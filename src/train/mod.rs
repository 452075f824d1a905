//! Training a model: the training loop ([`trainer`]), text generation ([`generate`]), checkpoints ([`checkpoint`]).

pub mod align;
pub mod checkpoint;
pub mod context_length;
pub mod exact_match;
pub mod generate;
pub mod import;
pub mod lr_finder;
pub mod objective;
pub mod profile;
mod top_k;
pub mod trainer;
