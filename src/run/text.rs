//! Training texts that are generated: the same text for the same choice and seed, on the page and on the command line.

use thiserror::Error;

use super::task_evaluation::TaskEvaluation;
use crate::config::RunConfig;
use crate::data::prepare::built_in_bytes;
use crate::data::{Task, stories};
use crate::types::CorpusChoice;

/// Size of the generated text of a task.
const TASK_BYTES: usize = 1 << 20;

/// Why a text cannot be generated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TextError {
    /// No task has this index.
    #[error("There is no task number {number}; choose another text.")]
    NoTask {
        /// The index.
        number: usize,
    },
    /// The text is a file.
    #[error("No file was chosen; pick one, or use the built-in stories.")]
    NoFile,
}

/// Display name and content of a generated text for a run with this configuration.
///
/// # Errors
/// If the task does not exist, or the text is a file.
pub fn generated(choice: CorpusChoice, config: &RunConfig) -> Result<(String, String), TextError> {
    let seed = config.train.seed;
    match choice {
        CorpusChoice::BuiltIn => Ok(("built-in stories".into(), stories(seed, built_in_bytes(config)))),
        CorpusChoice::Task(number) => {
            let task = task(number)?;
            Ok((format!("examples of {}", task.name()), task.text(seed, TASK_BYTES)))
        }
        CorpusChoice::File => Err(TextError::NoFile),
    }
}

/// The exact-match evaluation of a run, if it is trained on a task.
///
/// # Errors
/// If the task does not exist.
pub fn task_evaluation(choice: CorpusChoice, config: &RunConfig) -> Result<Option<TaskEvaluation>, TextError> {
    match choice {
        CorpusChoice::Task(number) => Ok(Some(TaskEvaluation::new(task(number)?, config.train.seed))),
        CorpusChoice::BuiltIn | CorpusChoice::File => Ok(None),
    }
}

/// The task with this index.
fn task(number: usize) -> Result<Task, TextError> {
    Task::ALL.get(number).copied().ok_or(TextError::NoTask { number })
}
