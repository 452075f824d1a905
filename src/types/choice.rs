//! The user's choices for a run: text, vocabulary, backend.

use serde::{Deserialize, Serialize};

/// The training text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorpusChoice {
    /// Stories from the built-in seeded generator.
    BuiltIn,
    /// The files of the last `Command::LoadFiles`.
    File,
    /// Examples of a synthetic task, by its index in `DataEvent::Tasks`.
    Task(usize),
}

/// A file provided by the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// File name.
    pub name: String,
    /// Size in bytes.
    pub size: usize,
    /// For a Parquet file whose text has been extracted: its text columns, starting with the extracted one.
    #[serde(default)]
    pub fields: Vec<String>,
}

/// The vocabulary that tokenizes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularyChoice {
    /// A vocabulary of `vocab_size` tokens, trained on the text.
    Trained,
    /// The vocabulary of the last `Command::LoadVocabulary`.
    Loaded,
}

/// The backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// The GPU if one is available, otherwise the CPU.
    #[default]
    Auto,
    /// The GPU; fails if there is no adapter.
    Gpu,
    /// The CPU backend.
    Cpu,
}
