//! What the page and the worker say to each other about the data to train on.

use serde::{Deserialize, Serialize};

use super::RunId;

/// The names of the synthetic tasks in links, in the order of their numbers in
/// [`CorpusChoice::Task`](super::CorpusChoice::Task).
pub const TASKS: [&str; 9] =
    ["copy", "reverse", "sort", "addition", "modular-addition", "parity", "brackets", "induction", "recall"];

/// A sentence about rows whose field has no text, if there are any.
pub fn skipped_rows(rows: u64, field: &str) -> Option<String> {
    let rows = match rows {
        0 => return None,
        1 => "1 row was".into(),
        rows => format!("{rows} rows were"),
    };
    Some(format!("{rows} skipped: without text in the field {field}."))
}

/// What the page asks about data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum DataCommand {
    /// Take the text of the files' records from another field.
    ChooseField {
        /// One of [`DataEvent::Fields`].
        field: String,
    },
    /// Read the texts of a Parquet file, which rides along: [`DataEvent::ParquetText`] or
    /// [`DataEvent::ParquetProblem`]. A damaged file may end the worker, so that this is asked of one that does nothing
    /// else.
    ReadParquet {
        /// The file's name.
        name: String,
        /// Which column; `text`, or the first one with text, unless told.
        field: Option<String>,
    },
}

/// What the worker tells about data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum DataEvent {
    /// The fields of the files' records that hold text; none when no file has records. The first is taken unless told
    /// otherwise.
    Fields {
        /// Their names.
        fields: Vec<String>,
    },
    /// The synthetic tasks there are. Comes once, after [`Event::Listening`](super::Event::Listening).
    Tasks {
        /// In the order of their numbers in [`CorpusChoice::Task`](super::CorpusChoice::Task).
        tasks: Vec<TaskInfo>,
    },
    /// The texts of a Parquet file as one text in UTF-8, which rides along.
    ParquetText {
        /// The columns with text: the one that was read, then the others.
        fields: Vec<String>,
        /// Rows without text that were skipped.
        skipped: u64,
    },
    /// A Parquet file cannot be read.
    ParquetProblem {
        /// Why, and what to change.
        message: String,
    },
    /// How many held-out examples of the run's task the model answers to the letter.
    Score {
        /// The run.
        run: RunId,
        /// Steps done when the first one was answered.
        step: u64,
        /// Right ones.
        right: usize,
        /// All of them.
        of: usize,
        /// A few answers.
        shown: Vec<TaskAnswer>,
    },
}

/// A synthetic task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Its name.
    pub name: String,
    /// What is to be learned, and what to look for.
    pub description: String,
    /// A sentence whose attention is worth looking at.
    pub probe: String,
}

/// An answer to an example of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAnswer {
    /// The question.
    pub prompt: String,
    /// The right answer.
    pub expected: String,
    /// What the model wrote.
    pub written: String,
}
