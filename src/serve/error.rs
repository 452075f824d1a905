//! Why the session cannot do what a command requests.

use thiserror::Error;

use crate::config::ConfigError;
use crate::data::DataError;
use crate::gpu::choices::ChoicesError;
use crate::gpu::context::ContextError;
use crate::interop::InteropError;
use crate::lesson::LessonError;
use crate::model::memory::RoomError;
use crate::parallel::shard::ShardError;
use crate::run::text::TextError;
use crate::train::checkpoint::CheckpointError;
use crate::train::context_length::FitError;
use crate::train::trainer::TrainError;
use crate::types::tokenizer::VocabularySource;

/// Why a command failed. Its message is shown on the page.
#[derive(Debug, Error)]
#[allow(missing_docs)] // each message says what its variant means
pub enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Device(#[from] ContextError),
    #[error(transparent)]
    Choices(#[from] ChoicesError),
    #[error(transparent)]
    Room(#[from] RoomError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Interop(#[from] InteropError),
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error(transparent)]
    Lesson(#[from] LessonError),
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    #[error("No file was chosen; pick one, or use the built-in stories.")]
    NoFile,
    /// The training text is a file that is missing or does not match.
    #[error("The training text {name} is not loaded; choose that file again.")]
    NeedsFile {
        /// Its name.
        name: String,
        /// The text field of its records.
        field: Option<String>,
        /// Why the provided file was rejected.
        problem: Option<String>,
    },
    #[error("The run has no training text; choose one and start again.")]
    NoText,
    /// A queued run is not valid.
    #[error("This run cannot be trained: {problem}.")]
    QueuedRun {
        /// What to change.
        problem: String,
    },
    #[error("The text “{name}” is missing; choose it again.")]
    NeedsText { name: String },
    #[error("The held-out text: {0}")]
    HeldOut(#[source] DataError),
    #[error("The model has no attention maps.")]
    NoMaps,
    #[error("There is nothing to pause; begin the training first.")]
    NothingToPause,
    #[error("The two models are gone; begin their training again.")]
    NoPair,
    #[error("There is no kernel {name}; reload the page, which may be older than its worker.")]
    NoKernel { name: String },
}

/// Why a vocabulary cannot be used.
#[derive(Debug, Error)]
pub enum VocabularyError {
    /// It cannot be trained, read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The file cannot be read.
    #[error("{name}: {error}")]
    File {
        /// The file name.
        name: String,
        /// The problem.
        error: DataError,
    },
    /// The file is not text.
    #[error("{name} is not text in UTF-8; choose a tokenizer.json")]
    NotText {
        /// The file name.
        name: String,
    },
    /// No vocabulary was chosen for the run.
    #[error("No vocabulary was chosen; choose one on the Tokenizer page.")]
    NoneChosen,
    /// There is no vocabulary from this source.
    #[error("There is no vocabulary “{}” yet; load or train it first.", source_name.name())]
    Missing {
        /// The source.
        source_name: VocabularySource,
    },
    /// It encodes nothing of a long text.
    #[error("This vocabulary encodes nothing of a long text; choose another.")]
    EncodesNothing,
}
