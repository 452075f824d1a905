//! Training logs for other programs: `log.csv`, `log.jsonl`, and TensorBoard event files.

mod files;
pub mod resume;
mod tensorboard;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use self::files::Log;
use self::files::Mark;
use crate::config::TrainConfig;
use crate::data::DataError;
use crate::run::{Driver, Evaluation, Observer, Start, Steps};
use crate::train::trainer::TrainingState;

/// Why a log cannot be written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The files cannot be opened.
    #[error("{}; choose another --log-dir", DataError::of_file(folder, source))]
    Open {
        /// The log's folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The folder holds the log of another run.
    #[error(
        "{} holds the log of another run; choose another --log-dir, or continue that run with --resume",
        folder.display()
    )]
    AnotherRun {
        /// The log's folder.
        folder: PathBuf,
    },
    /// A row cannot be written.
    #[error("{}", DataError::of_file(folder, source))]
    Write {
        /// The log's folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Writes what a run reports to the log files of a folder.
pub struct LogObserver {
    folder: Option<PathBuf>,
    log: Option<Log>,
    /// The position at the latest snapshot.
    mark: Option<Mark>,
    failure: Option<LogError>,
}

impl LogObserver {
    /// Writes into `folder`, which is created if it is missing; nothing without a folder. A resumed run continues the log there.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, log: None, mark: None, failure: None }
    }

    /// Keeps the first error, which ends the run.
    fn write<T>(&mut self, write: impl FnOnce(&mut Log) -> Result<T, LogError>) -> Option<T> {
        match write(self.log.as_mut()?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }
}

impl Observer for LogObserver {
    fn started(&mut self, start: &Start<'_>) {
        let Some(folder) = &self.folder else { return };
        match Log::open(folder, start.driver.config().tokens_per_step(), start.resumed_at) {
            Ok(log) => self.log = Some(log),
            Err(error) => self.failure = Some(error),
        }
        self.mark = self.write(|log| log.mark());
    }

    fn steps(&mut self, steps: Steps<'_>) {
        self.write(|log| log.steps(steps.points, steps.seconds, steps.tokens_per_s));
    }

    fn evaluated(&mut self, evaluation: Evaluation) {
        if evaluation.scheduled {
            let (point, seconds) = (evaluation.point, evaluation.seconds);
            self.write(|log| log.validation(point.step, seconds, point.loss));
        }
    }

    fn snapshot(&mut self, _driver: &Driver, _state: &TrainingState) {
        self.mark = self.write(|log| log.mark());
    }

    /// Later steps are trained and logged again.
    fn went_back(&mut self, step: u64, _train: &TrainConfig) {
        if let Some(mark) = self.mark {
            self.write(|log| log.go_back(step, mark));
        }
    }

    fn failure(&mut self) -> Option<String> {
        self.failure.take().map(|error| error.to_string())
    }
}
