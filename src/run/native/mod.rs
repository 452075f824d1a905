//! Runs a specification to its end, natively: prepares its text, opens a device, trains, saves in a folder, and recovers from lost
//! devices.

mod data;
mod device;
mod kernel_cache;
pub mod log;
mod ranks;
mod store;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use self::data::RunData;
pub use self::device::{DeviceError, open_device, tune_kernels};
pub use self::kernel_cache::{OverrideError, keep as remember_kernels, set_overrides};
pub use self::ranks::run_on_ranks;
pub use self::store::{SavedRun, Store, StoreError, load};
use super::policy::Policy;
use super::recovery::{Builder, LostDevices, Unrecoverable};
use super::text::{TextError, task_evaluation};
use super::{Driver, LostRun, Observer, RunSpec, Start, system_clock};
use crate::config::ConfigError;
use crate::data::DataError;
use crate::gpu::context::Context;
use crate::parallel::ranks::RankError;
use crate::train::trainer::{TrainError, Trainer};
use crate::types::{BackendChoice, Baselines};

/// Why a run has ended early, or not begun.
#[derive(Debug, Error)]
pub enum RunError {
    /// The specification is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The text cannot be generated.
    #[error(transparent)]
    Generated(#[from] TextError),
    /// The text cannot be read, or is too short.
    #[error("{}", of_files(paths, error))]
    Text {
        /// The text files; empty for a generated text.
        paths: Vec<PathBuf>,
        /// The reason.
        error: DataError,
    },
    /// The device cannot be opened.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The ranks cannot train.
    #[error(transparent)]
    Ranks(#[from] RankError),
    /// The run cannot be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run diverged.
    #[error("{error}{origin}. {saved}")]
    Diverged {
        /// The step that was not applied.
        error: Box<TrainError>,
        /// Where it began, after a semicolon; empty if that could not be found.
        origin: String,
        /// Where the state before it is saved.
        saved: String,
    },
    /// No device can continue the run.
    #[error("{why}. No other device could go on ({problem}); {saved}")]
    Unrecoverable {
        /// Why the last device was lost.
        why: String,
        /// Why the other devices cannot continue.
        problem: String,
        /// Where the latest state is saved.
        saved: String,
    },
    /// The observer cannot go on, for example because its log cannot be written.
    #[error("{0}")]
    Observer(String),
}

fn of_files(paths: &[PathBuf], error: &DataError) -> String {
    match (paths, error) {
        ([], _) | (_, DataError::File { .. } | DataError::InFile { .. }) => error.to_string(),
        ([path], _) => format!("{}: {error}", path.display()),
        _ => format!("the files: {error}"),
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps done.
    pub step: u64,
    /// The last held-out loss, in nats per token.
    pub val_loss: Option<f32>,
    /// Losses of simple models on the same tokens.
    pub baselines: Baselines,
    /// The stop rule that ended the run, in words; `None` if its observer stopped it.
    pub reason: Option<String>,
}

/// Trains until a stop rule ends the run; continues `saved` if there is one. The run is saved in `folder`, which is created if it
/// is missing.
///
/// # Errors
/// If the run cannot begin, diverges, or cannot be saved at its end.
pub async fn run<O: Observer>(
    spec: &RunSpec,
    folder: &Path,
    saved: Option<SavedRun>,
    observer: &mut O,
) -> Result<Outcome, RunError> {
    spec.validate()?;
    let store = Store::new(folder)?;
    let context = open_device(spec.backend).await?;
    let device = context.as_ref().map_or("CPU".to_string(), |context| context.adapter.name.clone());
    let mut config = spec.config.clone();
    let data = RunData::new(spec, folder, &mut config, saved.as_ref())?;
    let (trainer, slower) = data.trainer(config, context.as_ref()).await?;
    slower.iter().chain(&data.warnings).for_each(|message| observer.warn(message));
    observer.device_opened(context.as_ref());
    let policy =
        Policy { keep_snapshot: context.is_some(), samples: spec.samples, ..Policy::unattended(spec.snapshot_seconds) };
    let mut driver = Driver::new(trainer, data.tokenizer.clone(), policy, system_clock());
    let resumed_at = saved.as_ref().map(|saved| saved.checkpoint.state.step);
    if let Some(saved) = saved {
        let history = saved.record.map(|record| record.history).unwrap_or_default();
        // Earlier training does not count for a limit of seconds.
        driver.resume(saved.checkpoint.state, history, 0.0);
    }
    let mut rules = spec.rules;
    if [rules.stop_steps, rules.stop_tokens].iter().all(Option::is_none) && rules.stop_seconds.is_none() {
        rules.stop_steps = Some(spec.config.train.schedule_steps);
    }
    driver.set_rules(rules);
    driver.set_name(&spec.name);
    driver.set_corpus(data.record.clone());
    let task = task_evaluation(spec.text.choice(), &driver.config());
    driver.set_task(task?);
    observer.started(&Start { driver: &driver, text: data.summary, device: &device, resumed_at });
    observer.failure().map_or(Ok(()), |message| Err(RunError::Observer(message)))?;
    let mut native = Native { data, context, store, lost_devices: LostDevices::default(), slower: Vec::new() };
    native.train(driver, observer).await
}

/// A run without its driver, which is replaced after a device loss.
struct Native {
    data: RunData,
    /// The GPU; `None` on the CPU.
    context: Option<Context>,
    store: Store,
    lost_devices: LostDevices,
    /// Messages about kernel variants that cannot be used.
    slower: Vec<String>,
}

impl Native {
    async fn train<O: Observer>(&mut self, mut driver: Driver, observer: &mut O) -> Result<Outcome, RunError> {
        driver.train(observer);
        loop {
            let worked = driver.work(&mut (&mut self.store, &mut *observer)).await;
            self.store.take_warnings().iter().for_each(|message| observer.warn(message));
            if let Some(message) = observer.failure() {
                return Err(RunError::Observer(message));
            }
            match worked {
                Ok(true) if observer.stops_now() => {
                    driver.save(&mut (&mut self.store, &mut *observer)).await?;
                    break;
                }
                Ok(true) => (),
                Ok(false) => break,
                Err(TrainError::Execute(error)) if error.needs_another_device() => {
                    self.lost_devices.add(error, Some(&driver.config()));
                    driver = self.recover(driver.into_lost(), observer).await?;
                }
                Err(error @ TrainError::Diverged { .. }) => return Err(self.diverged(driver, error).await),
                Err(error) => return Err(error.into()),
            }
        }
        self.store.finish()?;
        let (step, val_loss, baselines) = (driver.steps_done(), driver.val_loss(), self.data.summary.baselines);
        Ok(Outcome { step, val_loss, baselines, reason: self.store.take_reason() })
    }

    async fn recover<O: Observer>(&mut self, run: LostRun, observer: &mut O) -> Result<Driver, RunError> {
        let mut lost_devices = std::mem::take(&mut self.lost_devices);
        let recovered = lost_devices.recover(run, self, observer).await;
        self.lost_devices = lost_devices;
        observer.device_opened(self.context.as_ref());
        self.slower.drain(..).for_each(|message| observer.warn(&message));
        recovered.map_err(|end| {
            let Unrecoverable { why, problem, .. } = *end;
            RunError::Unrecoverable { why, problem, saved: self.store.saved() }
        })
    }

    /// The error of a run that diverged, after saving the state before that step.
    async fn diverged(&mut self, mut driver: Driver, error: TrainError) -> RunError {
        let origin = driver.trace().await.map_or_else(|_| String::new(), |origin| format!("; {origin}"));
        let state = driver.trainer.state().await;
        let saved = self.store.save_before_divergence(&driver, state.ok().as_ref());
        RunError::Diverged { error: Box::new(error), origin, saved }
    }
}

impl Builder for Native {
    type Error = RunError;

    fn release(&mut self) {
        // A device that is out of memory but not lost releases its memory.
        self.context.take().iter().for_each(|context| context.device.destroy());
    }

    async fn build(&mut self, run: &LostRun, backend: BackendChoice, losses: u32) -> Result<Trainer, RunError> {
        let context = open_device(backend).await?;
        context.iter().for_each(|context| context.losses.set(losses));
        let (trainer, slower) = self.data.trainer(run.config.clone(), context.as_ref()).await?;
        (self.context, self.slower) = (context, slower);
        Ok(trainer)
    }
}
