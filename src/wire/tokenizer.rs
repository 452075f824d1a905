//! Messages about vocabularies: encoding, training, import and export.
//!
//! The page uses a separate worker for them, so that replies do not wait for a training step; both workers implement the whole
//! protocol.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::types::tokenizer::{ExportPurpose, MergeStep, TokenBytes, VocabularyFormat, VocabularySource};
use crate::types::{CorpusChoice, RunId};

/// Commands about vocabularies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tokenizer", rename_all = "snake_case")]
pub enum TokenizerCommand {
    /// Send the vocabulary of the current run: [`TokenizerEvent::RunVocabulary`].
    RunVocabulary,
    /// Load the attached vocabulary file. Replies with [`TokenizerEvent::Loaded`].
    Load {
        /// The source under which it is stored.
        source: VocabularySource,
        /// Display name.
        name: String,
        /// Format of the file.
        format: VocabularyFormat,
    },
    /// Tokenize a text. Replies with [`TokenizerEvent::Encoded`].
    Encode {
        /// Request id, repeated in the reply.
        request: u32,
        /// The vocabulary.
        source: VocabularySource,
        /// The text.
        text: String,
    },
    /// Time the encoding of a large text. Replies with [`TokenizerEvent::Measured`].
    Measure {
        /// The vocabulary.
        source: VocabularySource,
    },
    /// Train a vocabulary: emits [`TokenizerEvent::Merged`] repeatedly. A newer request replaces an older one.
    Train {
        /// Maximum number of tokens.
        vocab_size: usize,
        /// The training text.
        corpus: CorpusChoice,
        /// Configuration of the run that uses the corpus: its seed and size determine the built-in stories.
        config: RunConfig,
    },
    /// Stop training the vocabulary; the merges so far are kept.
    CancelTraining,
    /// Encode a text with the first merges of the trained vocabulary only. Replies with [`TokenizerEvent::Replayed`].
    Replay {
        /// Request id, repeated in the reply.
        request: u32,
        /// The text.
        text: String,
        /// Number of merges.
        n_merges: usize,
    },
    /// Export a vocabulary. Replies with [`TokenizerEvent::Exported`].
    Export {
        /// The vocabulary.
        source: VocabularySource,
        /// The purpose.
        purpose: ExportPurpose,
    },
}

/// Events about vocabularies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tokenizer", rename_all = "snake_case")]
pub enum TokenizerEvent {
    /// The vocabulary of a run; its `tokenizer.json` is attached.
    RunVocabulary {
        /// The run.
        run: RunId,
    },
    /// A vocabulary is ready to use.
    Loaded {
        /// The vocabulary.
        source: VocabularySource,
        /// Display name.
        name: String,
        /// V: number of tokens.
        vocab_size: usize,
    },
    /// A tokenized text.
    Encoded {
        /// Id of the request.
        request: u32,
        /// The vocabulary.
        source: VocabularySource,
        /// The tokens. Concatenated they are the text, unless the tokenizer normalizes texts.
        tokens: Vec<TokenBytes>,
    },
    /// Encoding throughput on a large text.
    Measured {
        /// The vocabulary.
        source: VocabularySource,
        /// Size of the text in bytes.
        bytes: usize,
        /// Duration in seconds.
        seconds: f64,
    },
    /// Progress of the training. Emitted at most about ten times per second.
    Merged {
        /// Maximum number of merges.
        n_asked: usize,
        /// The merges since the last event.
        merges: Vec<MergeStep>,
        /// Whether training is running.
        running: bool,
        /// Display name of the training text.
        corpus: String,
    },
    /// A text encoded with the first merges.
    Replayed {
        /// Id of the request.
        request: u32,
        /// Number of merges.
        n_merges: usize,
        /// The tokens.
        tokens: Vec<TokenBytes>,
    },
    /// A vocabulary as `tokenizer.json`, which is attached.
    Exported {
        /// The vocabulary.
        source: VocabularySource,
        /// The purpose.
        purpose: ExportPurpose,
        /// Display name.
        name: String,
        /// V: number of tokens.
        vocab_size: usize,
    },
    /// A request failed: the reason and how to correct it.
    Problem {
        /// One sentence.
        message: String,
    },
}
