//! Why a stage cannot begin.

use thiserror::Error;

use crate::align::AlignError;
use crate::config::ConfigError;
use crate::data::DataError;
use crate::train::align::{RunError, SettingError};
use crate::train::trainer::TrainError;

/// Why a stage cannot begin.
#[derive(Debug, Error)]
pub enum StageError {
    /// A field of the model or of training is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A field of the method is invalid.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Judges, template or rows are invalid.
    #[error(transparent)]
    Align(#[from] AlignError),
    /// The run cannot be prepared.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The trainer cannot be built.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The vocabulary of bytes cannot be made.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A change would give the model another shape.
    #[error("{field} would change the shape of the model, which alignment cannot; leave that field out")]
    Shape {
        /// A field that differs.
        field: &'static str,
    },
    /// The stage has another name.
    #[error("unknown stage `{name}`; expected one of {known}")]
    Stage {
        /// The given name.
        name: String,
        /// All names.
        known: String,
    },
    /// There is no such task.
    #[error("unknown task `{name}`; expected one of {known}")]
    Task {
        /// The given name.
        name: String,
        /// All names.
        known: String,
    },
    /// The held-out fifth of the rows contains all of them.
    #[error("every prompt of the file is held out; add rows")]
    NothingToTrainOn,
}
