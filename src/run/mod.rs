//! One run of the page: a model in training, and everything the page shows of it.

use std::rc::Rc;

use crate::config::rules::{Rules, Standing};
use crate::config::{ConfigError, RunConfig, TrainConfig};
use crate::data::Tokenizer;
use crate::data::prepare::PreparedData;
use crate::inspect::maps::cut_probe;
use crate::train::generate::writer::Writer;
use crate::train::lr_finder::Search;
use crate::train::trainer::{MAX_STEPS_AT_ONCE, TrainError, Trainer, WeightsVersion};
use crate::types::runs::CorpusRecord;
use crate::types::{History, RunId, Sampling, StepPoint};
use crate::wire::tokenizer::TokenizerEvent;
use crate::wire::{Event, Message};

mod export;
mod inspect;
mod keep;
mod lost;
pub mod lost_devices;
mod meter;
pub mod pace;
mod profile;
pub mod record;
mod rescue;
mod share;
mod show;
pub mod task_evaluation;

use inspect::Inspecting;
pub use lost::Lost;
use meter::{Meter, Recurring};
use pace::Pace;
use rescue::Rescue;
use task_evaluation::TaskEvaluation;

/// Returns the time in seconds since an arbitrary start.
pub type Clock = Rc<dyn Fn() -> f64>;

/// Approximate duration of a chunk of submitted steps, so that commands are handled without delay.
const CHUNK_SECONDS: f64 = 0.08;

/// Steps that are much shorter than this are submitted several at a time. The page's frames wait in the same queue, so this is
/// half a frame interval.
const SUBMIT_SECONDS: f64 = 0.008;

/// The run's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Paused,
    Training,
    OneStep,
}

/// A model in training with everything the page shows of it.
pub struct Run {
    id: RunId,
    /// The run's name on the page, saved in the files of its autosaves.
    name: String,
    trainer: Trainer,
    tokenizer: Tokenizer,
    clock: Clock,
    mode: Mode,
    rules: Rules,
    /// The training text; `None` only in tests.
    corpus: Option<CorpusRecord>,
    probe: Vec<u32>,
    tokens_cut: usize,
    probe_changed: bool,
    /// Steps that have not been reported to the page yet.
    points: Vec<StepPoint>,
    /// Everything that has been reported to the page.
    history: History,
    /// Number of steps whose losses have been read.
    steps_done: u64,
    /// Seconds of training so far.
    seconds: f64,
    /// Whether the last [`Event::Training`] reported that training is running.
    told_training: bool,
    meter: Meter,
    /// When the steps to be collected next started, on the clock.
    busy_since: f64,
    progress: Recurring,
    looks: Pace,
    evaluation: Recurring,
    sample: Recurring,
    sample_writer: Option<(u64, Writer)>,
    /// The latest held-out loss and the version of its weights.
    evaluated: Option<(WeightsVersion, f32)>,
    /// Whether a weight was edited since the last evaluation.
    edited: bool,
    scoring: Option<TaskEvaluation>,
    request: Option<(u32, Writer)>,
    inspecting: Inspecting,
    search_wanted: bool,
    /// The learning rate search, if one is running; it contains the saved state of the run.
    search: Option<Search>,
    /// The snapshot to restore after a failure.
    rescue: Option<Rescue>,
    /// Seconds between two snapshots, and whether they are reported.
    copies: (f64, bool),
    /// When the run was created, on its clock.
    began: f64,
    /// Version of the initial weights.
    first_version: WeightsVersion,
}

impl Run {
    /// Creates a paused run at step 0.
    pub fn new(id: RunId, trainer: Trainer, data: PreparedData, clock: Clock) -> Self {
        let (began, first_version) = (clock(), trainer.weights_version());
        let inspecting = Inspecting::new(&data.dataset.train, trainer.config().model.context_length);
        Self {
            id,
            name: String::new(),
            trainer,
            tokenizer: data.tokenizer,
            clock,
            mode: Mode::Paused,
            rules: Rules::default(),
            corpus: None,
            probe: Vec::new(),
            tokens_cut: 0,
            probe_changed: false,
            points: Vec::new(),
            history: History::default(),
            steps_done: 0,
            seconds: 0.0,
            told_training: false,
            meter: Meter::default(),
            busy_since: began,
            progress: Recurring::new(0.1, 0.0),
            looks: show::pace(true),
            evaluation: Recurring::new(5.0, 12.0),
            sample: Recurring::new(10.0, 12.0),
            sample_writer: None,
            evaluated: None,
            edited: false,
            scoring: None,
            request: None,
            inspecting,
            search_wanted: false,
            search: None,
            rescue: None,
            copies: (rescue::EVERY_SECONDS, false),
            began,
            first_version,
        }
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The run's configuration, without the temporary changes of a learning rate search.
    pub fn config(&self) -> RunConfig {
        let mut config = self.trainer.config().clone();
        if let Some(search) = &self.search {
            config.train = search.train().clone();
        }
        config
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

    /// Emits the vocabulary as `tokenizer.json`.
    ///
    /// # Errors
    /// If it cannot be serialized.
    pub fn vocabulary(&self, messages: &mut Vec<Message>) -> Result<(), String> {
        let json = self.tokenizer.to_json().map_err(|error| error.to_string())?;
        let event = Event::Tokenizer(TokenizerEvent::RunVocabulary { run: self.id });
        messages.push((event, Some(json.into_bytes())));
        Ok(())
    }

    /// Changes the probe text, whose attention is shown.
    pub fn set_probe(&mut self, text: &str) {
        let most = self.trainer.config().model.context_length;
        (self.probe, self.tokens_cut) = cut_probe(&self.tokenizer, text, most);
        self.probe_changed = true;
    }

    /// Evaluates exact match on a task during training.
    pub fn set_scoring(&mut self, scoring: Option<TaskEvaluation>) {
        self.scoring = scoring;
    }

    /// Trains until paused or until a rule stops the run, which may be immediately.
    pub fn train(&mut self) -> Event {
        self.stop_by_rule().unwrap_or_else(|| {
            (self.mode, self.told_training) = (Mode::Training, true);
            Event::Training { run: self.id, on: true }
        })
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

    /// Generates a continuation of a prompt; an older request is dropped.
    pub fn generate(&mut self, request: u32, prompt: &str, sampling: Sampling) {
        self.request = Some((request, Writer::new(&self.tokenizer, prompt, sampling)));
    }

    /// Stops generating; returns the last event of the request.
    pub fn stop_generating(&mut self) -> Option<Event> {
        let (request, mut writer) = self.request.take()?;
        let (text, tokens) = (writer.text(&self.tokenizer), writer.written(&self.tokenizer));
        Some(Event::Generated { run: self.id, request, text, tokens, done: true, problem: None })
    }

    /// Does one short unit of work, a tenth of a second or one step, and returns whether there is more.
    ///
    /// # Errors
    /// If the device failed or the run diverged; the run is then paused.
    pub async fn work(&mut self, messages: &mut Vec<Message>) -> Result<bool, TrainError> {
        let result = self.work_or_fail(messages).await;
        self.tell_desertion(messages);
        if let Err(error) = &result {
            // Training continues on another device.
            if !matches!(error, TrainError::Execute(error) if error.needs_another_device()) {
                self.mode = Mode::Paused;
            }
            (self.request, self.sample_writer, self.told_training) = (None, None, false);
            if matches!(error, TrainError::NoRoom { .. }) {
                self.stop_finding()?;
            }
        }
        result
    }

    async fn work_or_fail(&mut self, messages: &mut Vec<Message>) -> Result<bool, TrainError> {
        if self.search(messages).await? {
            return Ok(true);
        }
        if self.request.is_some() {
            self.write_requested(messages).await?;
        }
        if self.inspecting.changed {
            self.settle().await?;
            self.answer(messages).await?;
        }
        match self.mode {
            Mode::Training => {
                let is_first = self.steps_done == 0;
                self.train_chunk().await?;
                if is_first {
                    // Report that training has started before computing attention maps.
                    messages.push((self.progress(Vec::new()), None));
                } else {
                    self.show_regularly(messages).await?;
                    self.copy_regularly(messages).await?;
                }
                messages.extend(self.stop_by_rule().map(|event| (event, None)));
                return Ok(true); // a pause is reported by the next unit of work
            }
            Mode::OneStep => {
                self.mode = Mode::Paused;
                self.submit_steps(1);
                self.collect().await?;
                messages.push((self.progress(Vec::new()), None));
                self.show_attention(messages).await?;
                messages.push((Event::Training { run: self.id, on: false }, None));
            }
            Mode::Paused => {
                if self.trainer.in_flight() > 0 || !self.points.is_empty() || self.told_training {
                    self.show(messages).await?;
                    self.copy_at_pause(messages).await?;
                    self.told_training = false;
                    messages.push((Event::Training { run: self.id, on: false }, None));
                }
                self.show_edited(messages).await?;
                if self.probe_changed {
                    self.show_attention(messages).await?;
                }
            }
        }
        Ok(self.request.is_some() || self.scoring.as_ref().is_some_and(TaskEvaluation::is_owed))
    }

    /// Submits the next chunk, then collects the previous one, so that the device is never idle.
    async fn train_chunk(&mut self) -> Result<(), TrainError> {
        let was_idle = self.trainer.in_flight() == 0;
        let n_steps = self.meter.chunk(CHUNK_SECONDS, MAX_STEPS_AT_ONCE);
        self.submit(n_steps as u64);
        if was_idle && !self.rules.evaluation_due(self.trainer.step()) {
            // The device was idle; one additional step keeps it busy once these are done.
            self.submit(1);
        }
        self.collect().await?;
        let per_submission = self.meter.submission(SUBMIT_SECONDS, MAX_STEPS_AT_ONCE);
        self.trainer.set_steps_per_submit(per_submission);
        if let Some(seconds) = self.meter.seconds_per_step() {
            self.trainer.limit_submissions(Some(seconds));
        }
        if self.rules.steps_ahead(self.trainer.step(), self.trainer.config().tokens_per_step(), 1) == 0
            || self.rules.evaluation_due(self.trainer.step())
        {
            self.settle().await?;
        }
        Ok(())
    }

    /// Submits at most `wish` steps, fewer if a rule requires it.
    fn submit(&mut self, wish: u64) {
        let tokens_per_step = self.trainer.config().tokens_per_step();
        match self.rules.steps_ahead(self.trainer.step(), tokens_per_step, wish) {
            0 => (),
            n_steps => self.submit_steps(n_steps as usize),
        }
    }

    fn submit_steps(&mut self, n_steps: usize) {
        if self.trainer.in_flight() == 0 {
            self.busy_since = self.now();
        }
        self.trainer.submit(n_steps);
    }

    /// Waits for the oldest submission. The time since the previous collection, or since the submission to an idle device,
    /// counts as training.
    async fn collect(&mut self) -> Result<(), TrainError> {
        let mut points = self.trainer.collect().await?;
        let now = self.now();
        let (before, took, n) = (self.seconds, (now - self.busy_since).max(0.0), points.len().max(1) as f64);
        self.busy_since = now;
        for (i, point) in (1..).zip(&mut points) {
            point.seconds = before + took * f64::from(i) / n;
        }
        self.seconds += took;
        self.looks.trained(took);
        self.meter.add(points.len(), points.len() * self.trainer.config().tokens_per_step(), took);
        self.steps_done = points.last().map_or(self.steps_done, |point| point.step);
        self.points.extend(points);
        Ok(())
    }

    /// Waits for all steps in flight.
    async fn settle(&mut self) -> Result<(), TrainError> {
        while self.trainer.in_flight() > 0 {
            self.collect().await?;
        }
        Ok(())
    }

    fn now(&self) -> f64 {
        (self.clock)()
    }

    fn standing(&self) -> Standing {
        Standing {
            step: self.steps_done,
            tokens_per_step: self.trainer.config().tokens_per_step(),
            seconds: self.seconds,
            val_loss: self.history.validation.last().map(|val| val.loss),
        }
    }
}
