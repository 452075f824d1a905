//! What a driver reports while it trains.

use super::Driver;
use crate::config::TrainConfig;
use crate::gpu::context::Context;
use crate::train::exact_match::ExactMatch;
use crate::train::trainer::{TrainError, TrainingState};
use crate::types::runs::LrPoint;
use crate::types::sampling::WrittenToken;
use crate::types::tasks::TaskAnswer;
use crate::types::{Baselines, StepPoint, ValidationPoint};

/// Kinds of work on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Training steps.
    Train,
    /// Held-out loss.
    Evaluate,
    /// Exact match on a task's examples.
    Score,
    /// Generating a sample.
    Sample,
    /// Reading the training state.
    Save,
}

/// Steps that were trained.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    /// The steps, in order.
    pub points: &'a [StepPoint],
    /// Seconds of training in this process.
    pub seconds: f64,
    /// Throughput over about the last second; 0 until measured.
    pub tokens_per_s: f64,
}

/// A held-out loss that was computed.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation {
    /// Steps done, and the loss in nats per token.
    pub point: ValidationPoint,
    /// Seconds of training in this process.
    pub seconds: f64,
    /// Whether a stop rule ends the run after it.
    pub last: bool,
    /// Whether a run that was never interrupted would evaluate at this step, too.
    pub scheduled: bool,
}

/// Exact match on the examples of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskScore<'a> {
    /// Steps done when the evaluation started.
    pub step: u64,
    /// Number of correct answers.
    pub right: usize,
    /// Number of examples.
    pub of: usize,
    /// The answers; only some of them in an interactive run.
    pub answers: &'a [TaskAnswer],
}

impl<'a> TaskScore<'a> {
    /// The score of all examples.
    pub fn new(step: u64, result: &'a ExactMatch) -> Self {
        Self { step, right: result.right, of: result.answers.len(), answers: &result.answers }
    }
}

/// The training text of a run, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextSummary {
    /// Size of the text in bytes.
    pub text_bytes: u64,
    /// Number of training tokens.
    pub n_train: usize,
    /// Number of held-out tokens.
    pub n_val: usize,
    /// Losses of simple models on the held-out tokens.
    pub baselines: Baselines,
}

/// The beginning of a native run.
pub struct Start<'a> {
    /// The driver, before the first step or at the one from which it resumes.
    pub driver: &'a Driver,
    /// The training text.
    pub text: TextSummary,
    /// Name of the device.
    pub device: &'a str,
    /// The step of the checkpoint from which the run resumes.
    pub resumed_at: Option<u64>,
}

/// Receives what a driver reports. Every method has a default that ignores the report.
#[allow(async_fn_in_trait)] // the future does not have to be `Send`: a driver stays on one thread
pub trait Observer {
    /// A native run begins.
    fn started(&mut self, _start: &Start<'_>) {}

    /// The run's device was opened; `None` for the CPU.
    fn device_opened(&mut self, _context: Option<&Context>) {}

    /// Called before work on the device. Tests destroy the device here.
    fn before(&mut self, _work: Work, _step: u64) {}

    /// Steps were trained.
    fn steps(&mut self, _steps: Steps<'_>) {}

    /// The held-out loss was computed.
    fn evaluated(&mut self, _evaluation: Evaluation) {}

    /// The task's examples were evaluated.
    fn task_evaluated(&mut self, _score: TaskScore<'_>) {}

    /// Further tokens of the sample that was begun after `step` steps.
    fn sample_tokens(&mut self, _step: u64, _tokens: &[WrittenToken]) {}

    /// A sample was generated after `step` steps.
    fn sample(&mut self, _step: u64, _text: &str) {}

    /// The state is to be saved. `state` is that after all steps that were reported.
    fn snapshot(&mut self, _driver: &Driver, _state: &TrainingState) {}

    /// Training started or stopped.
    fn training(&mut self, _on: bool) {}

    /// A stop rule ends the training.
    fn stopped(&mut self, _reason: &str) {}

    /// The run continues from an earlier state with these settings; what was reported of later steps is void.
    fn went_back(&mut self, _step: u64, _train: &TrainConfig) {}

    /// A message that does not stop anything.
    fn notice(&mut self, _message: &str) {}

    /// A message about something that is not as good as it could be.
    fn warn(&mut self, _message: &str) {}

    /// The batches are now shared between this number of workers.
    fn workers(&mut self, _n: usize) {}

    /// Steps of the learning rate finder.
    fn lr_points(&mut self, _points: &[LrPoint]) {}

    /// The learning rate finder has ended.
    fn lr_found(&mut self, _suggestion: Option<f64>) {}

    /// Whether the observer inspects the model now; the driver then waits for the steps in flight.
    fn inspects_now(&self, _training: bool) -> bool {
        false
    }

    /// No steps are in flight: the observer may inspect the model.
    ///
    /// # Errors
    /// If the device failed.
    async fn at_rest(&mut self, _driver: &mut Driver) -> Result<(), TrainError> {
        Ok(())
    }

    /// Whether a native run is to be saved and stopped now.
    fn stops_now(&self) -> bool {
        false
    }

    /// Why the run has to end, if the observer cannot go on.
    fn failure(&mut self) -> Option<String> {
        None
    }
}

/// An observer that ignores everything.
impl Observer for () {}

/// Two observers: everything is reported to the first one, then to the second one.
impl<A: Observer, B: Observer> Observer for (&mut A, &mut B) {
    fn started(&mut self, start: &Start<'_>) {
        self.0.started(start);
        self.1.started(start);
    }

    fn before(&mut self, work: Work, step: u64) {
        self.0.before(work, step);
        self.1.before(work, step);
    }

    fn steps(&mut self, steps: Steps<'_>) {
        self.0.steps(steps);
        self.1.steps(steps);
    }

    fn evaluated(&mut self, evaluation: Evaluation) {
        self.0.evaluated(evaluation);
        self.1.evaluated(evaluation);
    }

    fn sample_tokens(&mut self, step: u64, tokens: &[WrittenToken]) {
        self.0.sample_tokens(step, tokens);
        self.1.sample_tokens(step, tokens);
    }

    fn sample(&mut self, step: u64, text: &str) {
        self.0.sample(step, text);
        self.1.sample(step, text);
    }

    fn snapshot(&mut self, driver: &Driver, state: &TrainingState) {
        self.0.snapshot(driver, state);
        self.1.snapshot(driver, state);
    }

    fn training(&mut self, on: bool) {
        self.0.training(on);
        self.1.training(on);
    }

    fn stopped(&mut self, reason: &str) {
        self.0.stopped(reason);
        self.1.stopped(reason);
    }

    fn went_back(&mut self, step: u64, train: &TrainConfig) {
        self.0.went_back(step, train);
        self.1.went_back(step, train);
    }

    fn notice(&mut self, message: &str) {
        self.0.notice(message);
        self.1.notice(message);
    }

    fn warn(&mut self, message: &str) {
        self.0.warn(message);
        self.1.warn(message);
    }

    fn workers(&mut self, n: usize) {
        self.0.workers(n);
        self.1.workers(n);
    }

    fn lr_found(&mut self, suggestion: Option<f64>) {
        self.0.lr_found(suggestion);
        self.1.lr_found(suggestion);
    }

    fn task_evaluated(&mut self, score: TaskScore<'_>) {
        self.0.task_evaluated(score);
        self.1.task_evaluated(score);
    }

    fn lr_points(&mut self, points: &[LrPoint]) {
        self.0.lr_points(points);
        self.1.lr_points(points);
    }

    fn device_opened(&mut self, context: Option<&Context>) {
        self.0.device_opened(context);
        self.1.device_opened(context);
    }

    fn inspects_now(&self, training: bool) -> bool {
        self.0.inspects_now(training) || self.1.inspects_now(training)
    }

    async fn at_rest(&mut self, driver: &mut Driver) -> Result<(), TrainError> {
        self.0.at_rest(driver).await?;
        self.1.at_rest(driver).await
    }

    fn stops_now(&self) -> bool {
        self.0.stops_now() || self.1.stops_now()
    }

    fn failure(&mut self) -> Option<String> {
        self.0.failure().or_else(|| self.1.failure())
    }
}
