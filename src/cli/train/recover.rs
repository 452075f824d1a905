//! Recovery from a lost device: another device resumes the run from the latest snapshot.

use std::str::FromStr;

use super::super::log::Mark;
use super::super::open_gpu;
use super::Training;
use crate::config::RunConfig;
use crate::config::rules::Standing;
use crate::gpu::backend::ExecuteError;
use crate::gpu::context::Context;
use crate::train::trainer::{TrainError, Trainer, TrainingState};
use crate::types::BackendChoice;

/// The reason for an interruption.
pub(super) enum Trouble {
    /// Another device can resume the run.
    Device(ExecuteError),
    /// The run ends with this message.
    End(String),
}

impl From<TrainError> for Trouble {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Execute(error) if error.needs_another_device() => Self::Device(error),
            other => Self::End(other.to_string()),
        }
    }
}

impl From<String> for Trouble {
    fn from(sentence: String) -> Self {
        Self::End(sentence)
    }
}

/// The latest snapshot of a run.
pub(super) struct Copy {
    /// `None`: the untrained model, with which every trainer starts.
    pub state: Option<TrainingState>,
    pub standing: Standing,
    /// The step of the latest evaluation.
    pub looked_at: Option<u64>,
    /// The position in the log.
    pub log: Option<Mark>,
}

/// A simulated device loss for tests: before the first work of this kind at or after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Moment {
    work: Work,
    step: u64,
}

/// The kinds of work on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Train,
    Evaluate,
    Score,
    Sample,
    Save,
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (work, step) = text.split_once('@').ok_or("it is WORK@STEP")?;
        let work = match work {
            "train" => Work::Train,
            "evaluate" => Work::Evaluate,
            "score" => Work::Score,
            "sample" => Work::Sample,
            "save" => Work::Save,
            _ => return Err("there are train, evaluate, score, sample and save".into()),
        };
        let step = step.parse().map_err(|_| format!("{step} is not a step"))?;
        Ok(Self { work, step })
    }
}

impl Training<'_> {
    /// Destroys the device before this work if a test requests it, as a driver reset would.
    pub(super) fn lose_device_before(&mut self, work: Work, step: u64) {
        let due = |moment: &Moment| moment.work == work && moment.step <= step;
        if let Some(index) = self.to_be_lost.iter().position(due) {
            self.to_be_lost.swap_remove(index);
            self.context.iter().for_each(|context| context.device.destroy());
        }
    }

    /// Builds a trainer for the run on another device and restores the latest snapshot. After several losses, the CPU
    /// is used.
    ///
    /// # Errors
    /// When no device can resume the run.
    pub(super) async fn recover(&mut self, error: ExecuteError, config: RunConfig) -> Result<Trainer, String> {
        self.lost_devices.add(error, Some(&config));
        let why = self.lost_devices.take_why().unwrap_or_default();
        // A device that is out of memory but not lost releases its memory.
        self.context.take().iter().for_each(|context| context.device.destroy());
        let mut problem = String::new();
        for &choice in self.lost_devices.successors() {
            match self.take_up(choice, &config).await {
                Ok((trainer, context)) => {
                    self.context = context;
                    let message = self.lost_devices.goes_on(&why, choice, trainer.step());
                    self.go_back(&message)?;
                    return Ok(trainer);
                }
                Err(message) => problem = message,
            }
        }
        Err(format!("{why}. No other device could go on ({problem}); {}", self.keeper.saved()))
    }

    async fn take_up(&self, choice: BackendChoice, config: &RunConfig) -> Result<(Trainer, Option<Context>), String> {
        let context = if choice == BackendChoice::Cpu { None } else { Some(open_gpu().await?) };
        context.iter().for_each(|context| context.losses.set(self.lost_devices.count()));
        let mut trainer = self.corpus.trainer(config.clone(), context.as_ref()).await?;
        self.copy.state.iter().for_each(|state| trainer.restore(state));
        Ok((trainer, context))
    }

    /// Returns to the snapshot. Later steps are trained and reported again; the elapsed training time is kept.
    fn go_back(&mut self, message: &str) -> Result<(), String> {
        self.standing = Standing { seconds: self.standing.seconds, ..self.copy.standing };
        self.looked_at = self.copy.looked_at;
        self.report.went_back(&self.standing, self.copy.log, message)
    }
}
