//! Vocabularies and their tokens.

use serde::{Deserialize, Serialize};

/// The source of a vocabulary. At most one vocabulary exists per source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularySource {
    /// The current run's vocabulary.
    Run,
    /// Trained by `TokenizerCommand::Train`.
    Trained,
    /// GPT-2's vocabulary.
    Gpt2,
    /// A file provided by the user.
    File,
}

impl VocabularySource {
    /// All sources.
    pub const ALL: [Self; 4] = [Self::Run, Self::Trained, Self::Gpt2, Self::File];

    /// Name of the source.
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

/// File format of a vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularyFormat {
    /// Hugging Face's `tokenizer.json`.
    TokenizerJson,
    /// One line per token: its bytes in base64 and its rank.
    Ranks,
}

/// The purpose of an exported vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportPurpose {
    /// Downloaded by the user.
    Download,
    /// Used for a new run.
    Run,
}

/// One token of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBytes {
    /// Token id in the vocabulary.
    pub id: u32,
    /// Bytes of the token.
    pub bytes: Vec<u8>,
}

/// One merge of the tokenizer training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeStep {
    /// The bytes of the left token.
    pub left: Vec<u8>,
    /// The bytes of the right token.
    pub right: Vec<u8>,
    /// Number of occurrences of the pair in the text.
    pub count: u64,
    /// The id of the new token.
    pub id: u32,
}
