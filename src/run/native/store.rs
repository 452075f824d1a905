//! The folder in which a native run is saved.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::run::record;
use crate::run::{Driver, Observer};
use crate::train::checkpoint::rotation::{self, PREVIOUS};
use crate::train::checkpoint::{Checkpoint, CheckpointError, FILE_NAME};
use crate::train::trainer::TrainingState;
use crate::types::runs::RunRecord;

/// Why a run cannot be saved or loaded.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder is not writable.
    #[error("{0}; nothing could be saved there")]
    Folder(CheckpointError),
    /// There is no checkpoint in the folder.
    #[error("{0}; name the folder that a model was saved in, as --out of train or import")]
    NoCheckpoint(CheckpointError),
    /// The checkpoint is invalid.
    #[error("{}: {error}", path.display())]
    Checkpoint {
        /// Path of the file.
        path: PathBuf,
        /// The reason.
        error: CheckpointError,
    },
    /// The latest state is not on disk.
    #[error("{0}; make room and train again")]
    NotSaved(NotSaved),
}

/// A state that could not be saved.
#[derive(Debug, Error)]
#[error("step {step} is not saved: {problem}")]
pub struct NotSaved {
    step: u64,
    problem: String,
}

/// A saved run.
pub struct SavedRun {
    /// Model and training state.
    pub checkpoint: Checkpoint,
    /// Its name, text and losses; `None` for an imported model, and for files of version 0.1.
    pub record: Option<RunRecord>,
    /// Why later checkpoints of the folder could not be loaded.
    pub notice: Option<String>,
}

/// Reads the latest intact checkpoint of a folder.
///
/// # Errors
/// If there is none.
pub fn load(folder: &Path) -> Result<SavedRun, StoreError> {
    let loaded = rotation::load(folder).map_err(|error| match error {
        CheckpointError::File { .. } => StoreError::NoCheckpoint(error),
        error => StoreError::Checkpoint { path: folder.join(FILE_NAME), error },
    })?;
    let record = fs::read(folder.join(loaded.file)).ok().and_then(|bytes| record::read(&bytes));
    Ok(SavedRun { checkpoint: loaded.checkpoint, record, notice: loaded.notice })
}

/// Saves a run's snapshots in a folder. A failed save does not stop training.
pub struct Store {
    folder: PathBuf,
    /// The step of the latest attempt, and that of the latest evaluation in it.
    tried: Option<(u64, Option<u64>)>,
    problem: Option<NotSaved>,
    /// Messages that were not reported yet.
    warnings: Vec<String>,
    /// The stop rule that ended the run.
    reason: Option<String>,
}

impl Store {
    /// # Errors
    /// When the folder is not writable.
    pub fn new(folder: &Path) -> Result<Self, StoreError> {
        rotation::check_folder(folder).map_err(StoreError::Folder)?;
        let (warnings, reason) = (Vec::new(), None);
        Ok(Self { folder: folder.into(), tried: None, problem: None, warnings, reason })
    }

    /// Saves a state, unless this step is already saved with its evaluation. A repeated failure is reported only once.
    fn save(&mut self, driver: &Driver, state: &TrainingState) {
        let evaluated = driver.history().validation.last().map(|val| val.step);
        if self.tried == Some((state.step, evaluated)) && self.problem.is_none() {
            return;
        }
        let bytes = driver.untimed_file(state);
        match bytes.and_then(|bytes| rotation::save(&self.folder, &bytes)) {
            Ok(()) => self.problem = None,
            Err(error) => {
                let problem = NotSaved { step: state.step, problem: error.to_string() };
                if self.problem.as_ref().is_none_or(|before| before.problem != problem.problem) {
                    self.warnings.push(format!("{problem}; training goes on"));
                }
                self.problem = Some(problem);
            }
        }
        self.tried = Some((state.step, evaluated));
    }

    /// Saves the state before a step that diverged; returns how to continue.
    pub(super) fn save_before_divergence(&mut self, driver: &Driver, state: Option<&TrainingState>) -> String {
        state.into_iter().for_each(|state| self.save(driver, state));
        match (&self.problem, state) {
            (None, Some(state)) => format!(
                "step {} is saved in {folder}, and what was saved before it is {PREVIOUS} there; to go on from it, more slowly: \
                 --resume {folder} --set max_lr={slower} (for the one before, rename it to {FILE_NAME})",
                state.step,
                folder = self.folder.display(),
                slower = driver.config().train.max_lr / 2.0,
            ),
            _ => "its state could not be saved".into(),
        }
    }

    /// Where the latest saved state is, for the error message of a failed run.
    pub(super) fn saved(&self) -> String {
        match (self.tried, &self.problem) {
            (_, Some(problem)) => problem.to_string(),
            (Some((step, _)), None) => {
                let folder = self.folder.display();
                format!("step {step} is saved in {folder}; to go on from it: --resume {folder}")
            }
            (None, None) => "nothing was saved since it began".into(),
        }
    }

    /// # Errors
    /// If the latest state is not on disk.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        self.problem.take().map_or(Ok(()), |problem| Err(StoreError::NotSaved(problem)))
    }

    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    pub(super) fn take_reason(&mut self) -> Option<String> {
        self.reason.take()
    }
}

impl Observer for Store {
    fn snapshot(&mut self, driver: &Driver, state: &TrainingState) {
        self.save(driver, state);
    }

    fn stopped(&mut self, reason: &str) {
        self.reason = Some(reason.into());
    }
}
