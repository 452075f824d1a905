//! What the page and the worker say to each other about vocabularies: encoding, training one, exchanging them.
//!
//! The page asks a worker of its own, so that the answers do not wait for a training step; both workers speak the whole
//! protocol.

use serde::{Deserialize, Serialize};

use super::{CorpusChoice, RunId};
use crate::config::RunConfig;

/// Where a vocabulary is from. There is one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularySource {
    /// The current run's.
    Run,
    /// Trained by [`TokenizerCommand::Train`].
    Trained,
    /// GPT-2's.
    Gpt2,
    /// A file of the user's.
    File,
}

impl VocabularySource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Run, Self::Trained, Self::Gpt2, Self::File];

    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Trained => "trained",
            Self::Gpt2 => "gpt2",
            Self::File => "file",
        }
    }

    /// The source with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// How a vocabulary is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularyFormat {
    /// The `tokenizer.json` of Hugging Face.
    TokenizerJson,
    /// A line per token: its bytes in base 64, its rank.
    Ranks,
}

/// What an exported vocabulary is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportPurpose {
    /// To be saved.
    Download,
    /// For a new run.
    Run,
}

/// What the page asks about vocabularies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tokenizer", rename_all = "snake_case")]
pub enum TokenizerCommand {
    /// Send the vocabulary of the current run: [`TokenizerEvent::RunVocabulary`].
    RunVocabulary,
    /// Read a vocabulary, whose file rides along: [`TokenizerEvent::Loaded`].
    Load {
        /// Which of the vocabularies it becomes.
        source: VocabularySource,
        /// For people.
        name: String,
        /// What the bytes are.
        format: VocabularyFormat,
    },
    /// Turn a text into tokens: [`TokenizerEvent::Encoded`].
    Encode {
        /// Tells the answer from older ones.
        request: u32,
        /// By which vocabulary.
        source: VocabularySource,
        /// The text.
        text: String,
    },
    /// Time the encoding of a large text: [`TokenizerEvent::Measured`].
    Measure {
        /// Of which vocabulary.
        source: VocabularySource,
    },
    /// Train a vocabulary: [`TokenizerEvent::Merged`], again and again. A newer request replaces an older one.
    Train {
        /// How many tokens at most.
        vocab_size: usize,
        /// On what.
        corpus: CorpusChoice,
        /// Of the run that the corpus would be for: its seed and its size choose the built-in stories.
        config: RunConfig,
    },
    /// Stop training the vocabulary; what was merged is kept.
    CancelTraining,
    /// Show a text as the first merges of the trained vocabulary leave it: [`TokenizerEvent::Replayed`].
    Replay {
        /// Tells the answer from older ones.
        request: u32,
        /// The text.
        text: String,
        /// How many merges.
        n_merges: usize,
    },
    /// Write a vocabulary down: [`TokenizerEvent::Exported`].
    Export {
        /// Which.
        source: VocabularySource,
        /// What for.
        purpose: ExportPurpose,
    },
}

/// What a worker answers about vocabularies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tokenizer", rename_all = "snake_case")]
pub enum TokenizerEvent {
    /// The vocabulary of a run; its `tokenizer.json` rides along.
    RunVocabulary {
        /// The run.
        run: RunId,
    },
    /// A vocabulary can be used from now on.
    Loaded {
        /// Which.
        source: VocabularySource,
        /// For people.
        name: String,
        /// V
        vocab_size: usize,
    },
    /// A text as tokens.
    Encoded {
        /// Of the command.
        request: u32,
        /// By which vocabulary.
        source: VocabularySource,
        /// Together they are the text, unless the vocabulary changes texts.
        tokens: Vec<TokenBytes>,
    },
    /// How fast a large text was encoded.
    Measured {
        /// By which vocabulary.
        source: VocabularySource,
        /// Size of the text.
        bytes: usize,
        /// How long it took.
        seconds: f64,
    },
    /// Training goes on: at most about ten of these a second.
    Merged {
        /// How many merges there are to be at most.
        n_asked: usize,
        /// The merges since the last event.
        merges: Vec<MergeStep>,
        /// Whether more are to come.
        running: bool,
        /// What the vocabulary is trained on, for people.
        corpus: String,
    },
    /// A text after some merges.
    Replayed {
        /// Of the command.
        request: u32,
        /// How many merges.
        n_merges: usize,
        /// The text.
        tokens: Vec<TokenBytes>,
    },
    /// A vocabulary as `tokenizer.json`, which rides along.
    Exported {
        /// Which.
        source: VocabularySource,
        /// What for.
        purpose: ExportPurpose,
        /// For people.
        name: String,
        /// V
        vocab_size: usize,
    },
    /// A request could not be served: why, and what to change.
    Problem {
        /// A sentence.
        message: String,
    },
}

/// One token of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBytes {
    /// Its id in the vocabulary.
    pub id: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// One merge of the training of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeStep {
    /// The bytes of the left token.
    pub left: Vec<u8>,
    /// The bytes of the right token.
    pub right: Vec<u8>,
    /// How often the pair stood in the text.
    pub count: u64,
    /// The id of the new token.
    pub id: u32,
}
