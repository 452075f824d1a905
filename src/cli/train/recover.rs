//! What happens when the device is gone: another one takes the run up where the latest copy of it was kept.

use std::str::FromStr;

use super::super::log::Mark;
use super::super::open_gpu;
use super::Training;
use crate::config::RunConfig;
use crate::config::rules::Standing;
use crate::gpu::backend::ExecuteError;
use crate::gpu::context::Context;
use crate::protocol::BackendChoice;
use crate::train::trainer::{TrainError, Trainer, TrainingState};

/// Why a run does not go on as it did.
pub(super) enum Trouble {
    /// Another device can take it up.
    Device(ExecuteError),
    /// It ends with this sentence.
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

/// The run as it was when it was kept last.
pub(super) struct Copy {
    /// None is the untrained model, which every trainer begins with.
    pub state: Option<TrainingState>,
    pub standing: Standing,
    /// The step of the latest evaluation.
    pub looked_at: Option<u64>,
    /// Where the log was.
    pub log: Option<Mark>,
}

/// When a device is to be lost, for tests: in the first piece of this work from this step on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Moment {
    work: Work,
    step: u64,
}

/// What a device does.
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
    /// Destroys the device before this work, as a reset of its driver does, where a test asks for it.
    pub(super) fn lose_device_before(&mut self, work: Work, step: u64) {
        let due = |moment: &Moment| moment.work == work && moment.step <= step;
        if let Some(index) = self.to_be_lost.iter().position(due) {
            self.to_be_lost.swap_remove(index);
            self.context.iter().for_each(|context| context.device.destroy());
        }
    }

    /// A trainer on another device, at the latest copy, for a run of this configuration whose device is gone: on a new
    /// one, after several losses on the CPU.
    ///
    /// # Errors
    /// A sentence where none can go on.
    pub(super) async fn recover(&mut self, error: ExecuteError, config: RunConfig) -> Result<Trainer, String> {
        self.lost_devices.add(error, Some(&config));
        let why = self.lost_devices.take_why().unwrap_or_default();
        // One that is not gone, but has no memory left, gives back what it has.
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

    /// What was told of later steps is told again as they are trained again. The time that they took stays: it was spent.
    fn go_back(&mut self, message: &str) -> Result<(), String> {
        self.standing = Standing { seconds: self.standing.seconds, ..self.copy.standing };
        self.looked_at = self.copy.looked_at;
        self.report.went_back(&self.standing, self.copy.log, message)
    }
}
