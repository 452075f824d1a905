//! Why the Align view's side of the worker cannot do what a command requests.

use thiserror::Error;

use super::project::ProjectError;
use crate::align::AlignError;
use crate::gpu::context::ContextError;
use crate::interop::InteropError;
use crate::run::stage::StageError;
use crate::train::align::RunError;
use crate::train::trainer::TrainError;

/// Why a command failed, or training stopped. Its message is shown on the page.
#[derive(Debug, Error)]
#[allow(missing_docs)] // each message says what its variant means
pub(super) enum DeskError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Align(#[from] AlignError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Device(#[from] ContextError),
    #[error(transparent)]
    Interop(#[from] InteropError),
    #[error("There is no stage yet; start one.")]
    NoStage,
    #[error("There is no stage to extend; start one.")]
    NothingToExtend,
    #[error("There is no stage to rewind; start one.")]
    NothingToRewind,
    #[error("There is no model to export; start a stage.")]
    NothingToExport,
    #[error("There is no model to begin with; choose one.")]
    NoModel,
    #[error("There is no model {0}; choose another.")]
    UnknownModel(String),
    #[error("There is no run to begin with; train one, or begin with an untrained model.")]
    NoRun,
    #[error("Add a stage to this model first.")]
    NotAStage,
    #[error("The stage has no kept state.")]
    NoState,
    #[error("The stage to begin with has no kept state.")]
    NoStateToBeginWith,
    #[error("The stage has no task and no file; choose one, or drop a .jsonl file.")]
    NoRows,
    #[error("{0} is not text in UTF-8; choose a .jsonl file.")]
    NotText(String),
    #[error("This file has no rows for alignment: {0}.")]
    UselessRows(#[source] AlignError),
    #[error("{0} Lower the learning rate, or branch from an earlier update.")]
    Diverged(#[source] RunError),
    #[error("{error}. No other device could go on ({problem}); update {step} is kept.")]
    NoOtherDevice { error: Box<TrainError>, problem: Box<ContextError>, step: u64 },
}
