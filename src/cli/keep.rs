//! Saves checkpoints during `glasshead train`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::sentence;
use crate::config::RunConfig;
use crate::config::table::FIELDS;
use crate::data::Tokenizer;
use crate::train::checkpoint::rotation;
use crate::train::checkpoint::rotation::PREVIOUS;
use crate::train::checkpoint::{self, Checkpoint, CheckpointError, FILE_NAME};
use crate::train::trainer::{TrainError, Trainer, TrainingState};

/// Reads the latest intact checkpoint of a folder, and reports when it is an older one.
pub(super) fn load(folder: &Path) -> Result<Checkpoint, String> {
    let loaded = rotation::load(folder).map_err(|error| match error {
        CheckpointError::File { .. } => {
            format!("{error}; name the folder that a model was saved in, as --out of train or import")
        }
        _ => format!("{}: {error}", folder.join(FILE_NAME).display()),
    })?;
    loaded.notice.iter().for_each(|notice| eprintln!("{notice}"));
    Ok(loaded.checkpoint)
}

/// Applies `--set` changes to the settings that can change during training.
pub(super) fn retune(trainer: &mut Trainer, changes: &[String]) -> Result<(), String> {
    let mut config = trainer.config().clone();
    super::train::apply(&mut config, changes)?;
    trainer.tune(&config.train).map_err(sentence)?;
    if *trainer.config() != config {
        let fixed = config.differences(trainer.config()).join(", ");
        let live = FIELDS.iter().filter(|field| field.is_live()).map(|field| field.name).collect::<Vec<_>>().join(", ");
        return Err(format!("{fixed} cannot change during training. With --resume, --set accepts {live}."));
    }
    Ok(())
}

/// Saves a run at regular intervals. A failed save does not stop training.
pub(super) struct Keeper {
    folder: PathBuf,
    every: Duration,
    last: Instant,
    /// The step of the latest attempt.
    tried: Option<u64>,
    /// The error of the latest attempt, if it failed.
    problem: Option<String>,
}

impl Keeper {
    /// # Errors
    /// When the folder is not writable.
    pub(super) fn new(folder: &Path, every_seconds: f64) -> Result<Self, String> {
        rotation::check_folder(folder).map_err(|error| format!("{error}; nothing could be saved there"))?;
        let every = Duration::try_from_secs_f64(every_seconds)
            .map_err(|_| format!("--save-every is {every_seconds}; it has to be a number of seconds, such as 30"))?;
        Ok(Self { folder: folder.into(), every, last: Instant::now(), tried: None, problem: None })
    }

    /// Whether the interval has elapsed and the step has changed since the last attempt.
    pub(super) fn due(&self, step: u64) -> bool {
        self.tried != Some(step) && self.last.elapsed() >= self.every
    }

    /// Saves the run and returns its state, unless this step is already saved. No steps may be in flight. A repeated
    /// failure is reported only once.
    pub(super) async fn save(
        &mut self,
        trainer: &mut Trainer,
        tokenizer: &Tokenizer,
    ) -> Result<Option<TrainingState>, TrainError> {
        if self.tried == Some(trainer.step()) && self.problem.is_none() {
            return Ok(None);
        }
        let state = trainer.state().await?;
        let bytes = checkpoint::to_bytes(trainer.config(), tokenizer, &state, None);
        match bytes.and_then(|bytes| rotation::save(&self.folder, &bytes)) {
            Ok(()) => self.problem = None,
            Err(error) => {
                let problem = format!("step {} is not saved: {error}; training goes on", state.step);
                if self.problem.as_deref().map(after_step) != Some(after_step(&problem)) {
                    eprintln!("{problem}");
                }
                self.problem = Some(problem);
            }
        }
        (self.tried, self.last) = (Some(state.step), Instant::now());
        Ok(Some(state))
    }

    /// Where the latest saved state is, for the error message of a failed run.
    pub(super) fn saved(&self) -> String {
        match (self.tried, &self.problem) {
            (Some(step), None) => {
                let folder = self.folder.display();
                format!("step {step} is saved in {folder}; to go on from it: --resume {folder}")
            }
            (_, Some(problem)) => problem.replace("; training goes on", ""),
            (None, None) => "nothing was saved since it began".into(),
        }
    }

    /// The final error if the latest state is not on disk.
    pub(super) fn finish(self) -> Result<(), String> {
        self.problem.map_or(Ok(()), |problem| Err(problem.replace("; training goes on", "; make room and train again")))
    }

    /// The error message for a diverged step, after saving the state before it.
    pub(super) async fn diverged(&mut self, trainer: &mut Trainer, tokenizer: &Tokenizer, error: TrainError) -> String {
        let origin = match trainer.trace().await {
            Ok(origin) => format!("; {origin}"),
            Err(_) => String::new(),
        };
        let RunConfig { train, .. } = trainer.config();
        let slower = train.max_lr / 2.0;
        let saved = match self.save(trainer, tokenizer).await {
            Ok(_) if self.problem.is_none() => format!(
                "step {} is saved in {}, and what was saved before it is {PREVIOUS} there; to go on from it, more slowly: \
                 --resume {} --set max_lr={slower} (for the one before, rename it to {FILE_NAME})",
                trainer.step(),
                self.folder.display(),
                self.folder.display(),
            ),
            _ => "its state could not be saved".into(),
        };
        format!("{error}{origin}. {saved}")
    }
}

/// The part of a message after its step number.
fn after_step(problem: &str) -> &str {
    problem.split_once(" is not saved").map_or(problem, |(_, rest)| rest)
}
