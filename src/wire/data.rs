//! Messages between the page and the worker about training data.

use serde::{Deserialize, Serialize};

use crate::types::RunId;
use crate::types::tasks::{TaskAnswer, TaskInfo};

/// Commands about training data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum DataCommand {
    /// Use another field of the files' records as the text.
    ChooseField {
        /// One of [`DataEvent::Fields`].
        field: String,
    },
    /// Extract the text of the attached Parquet file. Replies with [`DataEvent::ParquetText`] or [`DataEvent::ParquetProblem`].
    /// A damaged file may terminate the worker, so this command is sent to a dedicated one.
    ReadParquet {
        /// The file's name.
        name: String,
        /// The column to extract; by default `text`, or else the first text column.
        field: Option<String>,
    },
    /// Write built-in stories: [`DataEvent::Stories`].
    Stories {
        /// Equal seeds give equal stories.
        seed: u64,
        /// The minimum length in bytes.
        bytes: usize,
    },
}

/// Events about training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum DataEvent {
    /// The text fields of the files' records; empty if no file contains records. The first one is used unless
    /// [`DataCommand::ChooseField`] selects another.
    Fields {
        /// Names of the fields.
        fields: Vec<String>,
    },
    /// The available synthetic tasks. Emitted once, after [`Event::Listening`](super::Event::Listening).
    Tasks {
        /// The tasks, in the order of the indices in [`CorpusChoice::Task`](crate::types::CorpusChoice::Task).
        tasks: Vec<TaskInfo>,
    },
    /// The rows of a Parquet file as one UTF-8 text, which is attached.
    ParquetText {
        /// The text columns: the extracted one first.
        fields: Vec<String>,
        /// Number of skipped rows without text.
        skipped: u64,
    },
    /// Built-in stories, separated by `<|endoftext|>`. They are attached.
    Stories,
    /// A Parquet file cannot be read.
    ParquetProblem {
        /// The reason and how to correct it.
        message: String,
    },
    /// Exact-match result on held-out examples of the run's task.
    Score {
        /// The run.
        run: RunId,
        /// Steps done when the evaluation started.
        step: u64,
        /// Number of correct answers.
        right: usize,
        /// Number of examples.
        of: usize,
        /// A selection of answers.
        shown: Vec<TaskAnswer>,
    },
}
