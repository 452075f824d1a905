//! Synthetic tasks and the answers of a model.

use serde::{Deserialize, Serialize};

/// Names of the synthetic tasks in links, in the order of the indices in [`CorpusChoice::Task`](super::CorpusChoice::Task).
pub const TASKS: [&str; 11] = [
    "copy",
    "reverse",
    "sort",
    "addition",
    "modular-addition",
    "parity",
    "brackets",
    "induction",
    "recall",
    "reversed-addition",
    "worked-addition",
];

/// A sentence about rows without text in `field`; `None` if there are none.
pub fn skipped_rows(rows: u64, field: &str) -> Option<String> {
    let rows = match rows {
        0 => return None,
        1 => "1 row was".into(),
        rows => format!("{rows} rows were"),
    };
    Some(format!("{rows} skipped: without text in the field {field}."))
}

/// A synthetic task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Name of the task.
    pub name: String,
    /// What the model has to learn, and what to observe.
    pub description: String,
    /// A text whose attention is instructive.
    pub probe: String,
}

/// The model's answer to an example of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAnswer {
    /// The prompt.
    pub prompt: String,
    /// The correct answer.
    pub expected: String,
    /// The model's answer.
    pub written: String,
}
