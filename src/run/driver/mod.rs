//! Drives a trainer: steps in chunks, and between them evaluations, samples, snapshots and stop rules. The page and the command
//! line use the same driver with different policies and observers.
//!
//! `steps` trains, `evaluate` evaluates and generates samples, `snapshots` saves the state and goes back to it, `search` finds a
//! learning rate.

mod evaluate;
mod file;
mod lost;
mod observer;
mod search;
mod snapshots;
mod steps;

use std::rc::Rc;

pub use self::lost::LostRun;
pub use self::observer::{Evaluation, Observer, Start, Steps, TaskScore, TextSummary, Work};
use self::snapshots::Snapshots;
use super::clock::SharedClock;
use super::meter::{Meter, Recurring};
use super::policy::Policy;
use super::task_evaluation::TaskEvaluation;
use crate::config::rules::{Rules, Standing};
use crate::config::{ConfigError, RunConfig, TrainConfig};
use crate::data::Tokenizer;
use crate::parallel::pool::SharedPool;
use crate::train::generate::writer::Writer;
use crate::train::lr_finder::Search;
use crate::train::trainer::{Origin, TrainError, Trainer, WeightsVersion};
use crate::types::History;
use crate::types::runs::CorpusRecord;

/// Approximate duration of a unit of work, so that commands are handled without delay.
pub(crate) const CHUNK_SECONDS: f64 = 0.08;

/// The run's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Paused,
    Training,
    OneStep,
}

/// A model in training.
pub struct Driver {
    pub(crate) trainer: Trainer,
    pub(crate) tokenizer: Rc<Tokenizer>,
    clock: SharedClock,
    policy: Policy,
    mode: Mode,
    rules: Rules,
    /// The run's name, saved in its files.
    name: String,
    /// The training text; `None` for a run that cannot be saved.
    corpus: Option<CorpusRecord>,
    history: History,
    /// Number of steps whose losses have been read.
    steps_done: u64,
    /// Seconds of training that count for the rules, including those of steps that were lost.
    seconds: f64,
    /// Whether the observer was told that training is running.
    reported_training: bool,
    meter: Meter,
    /// When the steps to be collected next started, on the clock.
    busy_since: f64,
    evaluation: Recurring,
    /// The latest held-out loss and the version of its weights.
    evaluated: Option<(WeightsVersion, f32)>,
    /// The step of the latest evaluation.
    evaluated_at: Option<u64>,
    /// Whether a weight was edited since the last evaluation.
    edited: bool,
    task: Option<TaskEvaluation>,
    sample: Recurring,
    sample_writer: Option<(u64, Writer)>,
    search_wanted: bool,
    /// The learning rate finder, if it is running; it contains the saved state of the run.
    search: Option<Search>,
    snapshots: Snapshots,
    /// The step of the checkpoint from which the run resumed.
    resumed_at: Option<u64>,
}

impl Driver {
    /// Creates a paused run at step 0.
    pub fn new(trainer: Trainer, tokenizer: impl Into<Rc<Tokenizer>>, policy: Policy, clock: SharedClock) -> Self {
        let began = clock.now();
        let snapshots = Snapshots::new(&policy, began, trainer.weights_version());
        Self {
            trainer,
            tokenizer: tokenizer.into(),
            clock,
            policy,
            mode: Mode::Paused,
            rules: Rules::default(),
            name: String::new(),
            corpus: None,
            history: History::default(),
            steps_done: 0,
            seconds: 0.0,
            reported_training: false,
            meter: Meter::default(),
            busy_since: began,
            evaluation: Recurring::new(2.0, 12.0),
            evaluated: None,
            evaluated_at: None,
            edited: false,
            task: None,
            sample: Recurring::new(6.0, 12.0),
            sample_writer: None,
            search_wanted: false,
            search: None,
            snapshots,
            resumed_at: None,
        }
    }

    /// The run's configuration, without the temporary changes of the learning rate finder.
    pub fn config(&self) -> RunConfig {
        let mut config = self.trainer.config().clone();
        if let Some(search) = &self.search {
            config.train = search.train().clone();
        }
        config
    }

    /// Steps whose losses are known.
    pub fn steps_done(&self) -> u64 {
        self.steps_done
    }

    /// Seconds of training.
    pub(in crate::run) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// The losses so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The latest held-out loss.
    pub fn val_loss(&self) -> Option<f32> {
        self.history.validation.last().map(|val| val.loss)
    }

    /// Whether the run trains until it is paused.
    pub fn is_training(&self) -> bool {
        self.mode == Mode::Training
    }

    /// Whether the run uses the CPU backend.
    pub fn is_on_cpu(&self) -> bool {
        self.trainer.is_on_cpu()
    }

    /// Applies the settings that can change during training.
    ///
    /// # Errors
    /// If the settings are invalid; nothing changes then.
    pub fn tune(&mut self, train: &TrainConfig) -> Result<(), ConfigError> {
        train.validate()?;
        match &mut self.search {
            Some(search) => {
                search.tune(train);
                Ok(())
            }
            None => self.trainer.tune(train),
        }
    }

    /// Sets the stop rules and the evaluation interval.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Evaluates exact match on a task during training.
    pub fn set_task(&mut self, task: Option<TaskEvaluation>) {
        self.task = task;
    }

    /// Trains until paused or until a rule stops the run, which may be immediately.
    pub fn train<O: Observer>(&mut self, observer: &mut O) {
        if !self.policy.interactive || !self.stop_by_rule(observer) {
            (self.mode, self.reported_training) = (Mode::Training, true);
            observer.training(true);
        }
    }

    /// Pauses after the steps in flight.
    pub fn pause(&mut self) {
        if self.mode == Mode::Training {
            self.mode = Mode::Paused;
        }
    }

    /// Trains one step.
    pub fn step(&mut self) {
        self.mode = Mode::OneStep;
    }

    /// Shares the batches of further steps between `n` workers, including this one.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn share<O: Observer>(
        &mut self,
        pool: Option<SharedPool>,
        n: usize,
        observer: &mut O,
    ) -> Result<(), TrainError> {
        self.trainer.share(pool, n)?;
        self.meter.forget();
        observer.workers(self.trainer.n_workers());
        Ok(())
    }

    /// Locates the origin of the divergence in the step that was not applied.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn trace(&mut self) -> Result<Origin, TrainError> {
        self.trainer.trace().await
    }

    /// Does one short unit of work, a tenth of a second or one step, and returns whether there is more.
    ///
    /// # Errors
    /// If the device failed or the run diverged; the run is then paused.
    pub async fn work<O: Observer>(&mut self, observer: &mut O) -> Result<bool, TrainError> {
        let result = self.work_or_fail(observer).await;
        self.report_lost_workers(observer);
        if let Err(error) = &result {
            // Training continues on another device.
            if !error.needs_another_device() {
                self.mode = Mode::Paused;
            }
            (self.sample_writer, self.reported_training) = (None, false);
            if matches!(error, TrainError::NoRoom { .. }) {
                self.stop_search(observer)?;
            }
        }
        result
    }

    async fn work_or_fail<O: Observer>(&mut self, observer: &mut O) -> Result<bool, TrainError> {
        if self.search(observer).await? {
            return Ok(true);
        }
        match self.mode {
            Mode::Training => {
                self.work_on_training(observer).await?;
                return Ok(true); // a pause is reported by the next unit of work
            }
            Mode::OneStep => {
                self.mode = Mode::Paused;
                self.submit_steps(1);
                self.collect(observer).await?;
                observer.at_rest(self).await?;
                observer.training(false);
            }
            Mode::Paused => self.come_to_rest(observer).await?,
        }
        Ok(self.task.as_ref().is_some_and(TaskEvaluation::is_owed))
    }

    async fn work_on_training<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        if !self.policy.interactive && self.evaluation_is_due() {
            self.settle(observer).await?;
            return self.evaluate_and_save(observer).await;
        }
        let is_first = self.steps_done == 0;
        self.train_chunk(observer).await?;
        // The first chunk is reported before anything else is computed.
        if self.policy.interactive && !is_first {
            self.show_regularly(observer).await?;
        }
        if !is_first {
            self.save_regularly(observer).await?;
        }
        if self.policy.interactive {
            self.stop_by_rule(observer);
        }
        Ok(())
    }

    /// After training has been paused: evaluates, and saves what is not saved yet.
    async fn come_to_rest<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        let trained = self.trainer.in_flight() > 0 || self.reported_training;
        if trained {
            self.settle(observer).await?;
        }
        if trained && self.policy.interactive {
            self.evaluate(observer).await?;
            observer.at_rest(self).await?;
            self.save_at_pause(observer).await?;
        }
        if trained {
            self.reported_training = false;
            observer.training(false);
        }
        self.evaluate_edited(observer).await?;
        if observer.inspects_now(false) {
            observer.at_rest(self).await?;
        }
        Ok(())
    }

    /// Reports helpers that have failed.
    fn report_lost_workers<O: Observer>(&mut self, observer: &mut O) {
        let Some(reason) = self.trainer.deserted() else { return };
        self.meter.forget();
        observer.notice(&format!("Training goes on with one worker, because another one failed: {reason}."));
        observer.workers(self.trainer.n_workers());
    }

    /// Pauses the run if a stop rule has been reached; returns whether it has.
    fn stop_by_rule<O: Observer>(&mut self, observer: &mut O) -> bool {
        let Some(reason) = self.rules.reached(&self.standing()) else { return false };
        self.mode = Mode::Paused;
        observer.stopped(&reason);
        true
    }

    pub(crate) fn now(&self) -> f64 {
        self.clock.now()
    }

    fn standing(&self) -> Standing {
        Standing {
            step: self.steps_done,
            tokens_per_step: self.trainer.config().tokens_per_step(),
            seconds: self.seconds,
            val_loss: self.val_loss(),
        }
    }
}
