//! What is chosen for a run: text, vocabulary, backend.

use serde::{Deserialize, Serialize};

/// What to train on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorpusChoice {
    /// Stories from the built-in seeded generator.
    BuiltIn,
    /// The files of the last [`super::Command::LoadFiles`].
    File,
    /// Examples of a synthetic task: its number in [`super::data::DataEvent::Tasks`].
    Task(usize),
}

/// A file of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: usize,
    /// Where it was a Parquet file whose text has been read already: its columns with text, the one that was read first.
    #[serde(default)]
    pub fields: Vec<String>,
}

/// What turns text into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularyChoice {
    /// A vocabulary of `vocab_size` tokens, trained on the text.
    Trained,
    /// The one of the last [`super::Command::LoadVocabulary`].
    Loaded,
}

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// The GPU where there is one, else the CPU.
    Auto,
    /// Only the GPU: no adapter is an error.
    Gpu,
    /// The CPU references.
    Cpu,
}
