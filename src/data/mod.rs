//! Text, tokens and batches. Independent of the GPU.
//!
//! Built-in stories (`corpus`) or the user's own text → pre-tokens (`pretokenize`) → a vocabulary (`bpe`) → ids
//! (`tokenizer`) → training and held-out tokens (`dataset`) → losses that a model should beat (`baselines`).

mod baselines;
mod blocks;
mod bpe;
mod corpus;
mod counts;
mod cut;
mod dataset;
pub mod encoded_files;
mod error;
mod files;
mod fingerprint;
mod jsonl;
mod parquet;
mod plain;
pub mod prepare;
mod pretokenize;
mod ranks;
mod source;
mod tasks;
mod template;
mod token_file;
mod tokenizer;
mod tokenizer_json;

pub use baselines::{Bigram, BigramCounter, baselines};
pub use blocks::Blocks;
pub use bpe::{BpeTrainer, Merge, Vocabulary, train, train_file, train_reader};
pub use corpus::{PROBE, StoryGenerator, stories};
pub use counts::PretokenCounts;
pub use cut::{CUT_NAMES, Cut, Habits};
pub use dataset::{Dataset, batch_starts, decode_text, evaluation_starts, held_out_offset, held_out_window, split};
pub use error::DataError;
pub use files::{TextReader, Texts, is_jsonl, open_files, read_files};
pub use fingerprint::{Fingerprint, fingerprint};
pub(crate) use jsonl::without_no_numbers;
pub use jsonl::{JsonlReader, jsonl_fields};
pub use parquet::{ParquetReader, ParquetText, is_parquet, read_parquet, reading_parquet};
pub use pretokenize::{AddedToken, Piece, Specials, pretokens};
pub use tasks::{Task, is_held_out};
pub use token_file::{EncodedFile, TokenFile};
pub use tokenizer::{END_OF_TEXT, Encoder, Template, TextEnds, TextFiles, Tokenizer};
