//! One run of the page: a model under training, and everything that is shown of it while it learns.

use super::generate::Writer;
use super::prepare::PreparedData;
use super::scoring::Scoring;
use super::trainer::{MOST_STEPS_AT_ONCE, TrainError, Trainer};
use crate::data::Tokenizer;
use crate::protocol::tokenizer::TokenizerEvent;
use crate::protocol::{Event, RunId, Sampling, StepPoint, Token, ValidationPoint};

/// An event and the bytes that ride along.
pub type Message = (Event, Option<Vec<u8>>);

/// Batches of held-out text per evaluation.
const EVALUATION_BATCHES: usize = 4;

/// Steps are submitted in chunks of about this many seconds, so that a command never waits long.
const CHUNK_SECONDS: f64 = 0.08;

/// Something that is shown from time to time. It may take a share of the time, and comes no more often than asked.
struct Recurring {
    at_least_apart: f64,
    /// Seconds of pause per second that it took.
    pause_factor: f64,
    not_before: f64,
}

impl Recurring {
    fn new(at_least_apart: f64, pause_factor: f64) -> Self {
        Self { at_least_apart, pause_factor, not_before: 0.0 }
    }

    fn done(&mut self, began: f64, now: f64) {
        self.not_before = now + self.at_least_apart.max((now - began) * self.pause_factor);
    }
}

/// Tokens per second over the steps of the last second or so. Only the time between a submission and its collection
/// counts: looking and writing are not training.
#[derive(Default)]
struct Meter {
    per_second: f64,
    seconds_per_step: f64,
}

impl Meter {
    /// `n_steps` with `tokens` in all took `seconds`.
    fn add(&mut self, n_steps: usize, tokens: usize, seconds: f64) {
        let seconds = seconds.max(1e-6);
        // The longer a chunk took, the more it says: half weight at a second.
        let weight = (seconds / (seconds + 1.0)).max(0.1);
        let mix = |old: f64, new: f64| if old == 0.0 { new } else { old + weight * (new - old) };
        self.per_second = mix(self.per_second, tokens as f64 / seconds);
        self.seconds_per_step = mix(self.seconds_per_step, seconds / n_steps.max(1) as f64);
    }
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Paused,
    Training,
    OneStep,
}

/// A model under training and its showing.
pub struct Run {
    id: RunId,
    trainer: Trainer,
    tokenizer: Tokenizer,
    mode: Mode,
    probe: Vec<u32>,
    tokens_cut: usize,
    probe_changed: bool,
    points: Vec<StepPoint>,
    meter: Meter,
    progress: Recurring,
    attention: Recurring,
    evaluation: Recurring,
    sample: Recurring,
    sample_writer: Option<(u64, Writer)>,
    scoring: Option<Scoring>,
    request: Option<(u32, Writer)>,
}

impl Run {
    /// A paused run at step 0.
    pub fn new(id: RunId, trainer: Trainer, data: PreparedData) -> Self {
        Self {
            id,
            trainer,
            tokenizer: data.tokenizer,
            mode: Mode::Paused,
            probe: Vec::new(),
            tokens_cut: 0,
            probe_changed: false,
            points: Vec::new(),
            meter: Meter::default(),
            progress: Recurring::new(0.1, 0.0),
            attention: Recurring::new(0.5, 12.0),
            evaluation: Recurring::new(5.0, 12.0),
            sample: Recurring::new(10.0, 12.0),
            sample_writer: None,
            scoring: None,
            request: None,
        }
    }

    /// Its number.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Tells the vocabulary, as `tokenizer.json`.
    ///
    /// # Errors
    /// A sentence when it cannot be written.
    pub fn vocabulary(&self, messages: &mut Vec<Message>) -> Result<(), String> {
        let json = self.tokenizer.to_json().map_err(|error| error.to_string())?;
        let event = Event::Tokenizer(TokenizerEvent::RunVocabulary { run: self.id });
        messages.push((event, Some(json.into_bytes())));
        Ok(())
    }

    /// The model.
    pub fn trainer(&mut self) -> &mut Trainer {
        &mut self.trainer
    }

    /// Shows the attention of another sentence from now on.
    pub fn set_probe(&mut self, text: &str) {
        self.probe = self.tokenizer.encode(text);
        let most = self.trainer.config().model.context_length;
        self.tokens_cut = self.probe.len().saturating_sub(most);
        self.probe.truncate(most);
        self.probe_changed = true;
    }

    /// Scores the answers to a task while it trains.
    pub fn set_scoring(&mut self, scoring: Option<Scoring>) {
        self.scoring = scoring;
    }

    /// Trains until told otherwise.
    pub fn train(&mut self) -> Event {
        self.mode = Mode::Training;
        Event::Training { run: self.id, on: true }
    }

    /// Stops after the steps that are under way.
    pub fn pause(&mut self) {
        if self.mode == Mode::Training {
            self.mode = Mode::Paused;
        }
    }

    /// Trains one step.
    pub fn step(&mut self) {
        self.mode = Mode::OneStep;
    }

    /// Writes on from a prompt; an older request is dropped.
    pub fn generate(&mut self, request: u32, prompt: &str, sampling: Sampling) {
        self.request = Some((request, Writer::new(&self.tokenizer, prompt, sampling)));
    }

    /// Stops writing; returns the last answer to the request.
    pub fn stop_generating(&mut self) -> Option<Event> {
        let (request, writer) = self.request.take()?;
        Some(Event::Generated { run: self.id, request, text: writer.text(&self.tokenizer), done: true, problem: None })
    }

    /// Evaluates and shows the model as it is.
    ///
    /// # Errors
    /// When the device failed.
    pub async fn show(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.settle().await?;
        let loss = self.trainer.evaluate(EVALUATION_BATCHES).await?;
        let validation = ValidationPoint { step: self.trainer.step(), loss };
        messages.push((self.progress(vec![validation]), None));
        self.show_attention(messages).await
    }

    /// Does one short piece of work, a tenth of a second or one step, and returns whether there is more.
    /// `clock` tells seconds.
    ///
    /// # Errors
    /// When the device failed or the numbers ran away. Then the run is paused.
    pub async fn work(&mut self, clock: &dyn Fn() -> f64, messages: &mut Vec<Message>) -> Result<bool, TrainError> {
        let result = self.work_or_fail(clock, messages).await;
        if result.is_err() {
            self.mode = Mode::Paused;
            (self.request, self.sample_writer) = (None, None);
        }
        result
    }

    async fn work_or_fail(&mut self, clock: &dyn Fn() -> f64, messages: &mut Vec<Message>) -> Result<bool, TrainError> {
        if self.request.is_some() {
            self.write_requested(clock, messages).await?;
        }
        match self.mode {
            Mode::Training => {
                self.train_chunk(clock).await?;
                self.show_regularly(clock, messages).await?;
            }
            Mode::OneStep => {
                self.trainer.submit(1);
                self.mode = Mode::Paused;
                self.settle().await?;
                messages.push((self.progress(Vec::new()), None));
                self.show_attention(messages).await?;
                messages.push((Event::Training { run: self.id, on: false }, None));
            }
            Mode::Paused => {
                if self.trainer.in_flight() > 0 || !self.points.is_empty() {
                    self.show(messages).await?;
                    messages.push((Event::Training { run: self.id, on: false }, None));
                }
                if self.probe_changed {
                    self.show_attention(messages).await?;
                }
            }
        }
        Ok(self.mode != Mode::Paused || self.request.is_some())
    }

    /// Submits the next chunk, then collects the one before: the device always has something to do.
    async fn train_chunk(&mut self, clock: &dyn Fn() -> f64) -> Result<(), TrainError> {
        let seconds = self.meter.seconds_per_step;
        let n_steps = if seconds > 0.0 { (CHUNK_SECONDS / seconds) as usize } else { 1 };
        let began = clock();
        let was_idle = self.trainer.in_flight() == 0;
        self.trainer.submit(n_steps.clamp(1, MOST_STEPS_AT_ONCE));
        if was_idle {
            // The device had nothing to do: this one is waited for, and timed, alone.
            self.trainer.submit(1);
        }
        let points = self.trainer.collect().await?;
        self.meter.add(points.len(), points.len() * self.trainer.config().tokens_per_step(), clock() - began);
        self.points.extend(points);
        Ok(())
    }

    async fn show_regularly(&mut self, clock: &dyn Fn() -> f64, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        if clock() >= self.progress.not_before && !self.points.is_empty() {
            messages.push((self.progress(Vec::new()), None));
            self.progress.done(clock(), clock());
        }
        if self.probe_changed || clock() >= self.attention.not_before {
            self.settle().await?;
            let began = clock();
            self.show_attention(messages).await?;
            self.attention.done(began, clock());
        }
        if clock() >= self.evaluation.not_before {
            self.settle().await?;
            let began = clock();
            let loss = self.trainer.evaluate(EVALUATION_BATCHES).await?;
            let validation = ValidationPoint { step: self.trainer.step(), loss };
            messages.push((self.progress(vec![validation]), None));
            self.evaluation.done(began, clock());
        }
        if self.scoring.as_ref().is_some_and(|scoring| scoring.is_due(clock())) {
            self.settle().await?;
            if let Some(scoring) = &mut self.scoring {
                let event = scoring.work(self.id, &mut self.trainer, &self.tokenizer, clock).await?;
                messages.extend(event.map(|event| (event, None)));
            }
        }
        if self.sample_writer.is_none() && clock() >= self.sample.not_before {
            let seed = self.trainer.step();
            let sampling = Sampling { max_tokens: 60, seed, ..Sampling::default() };
            self.sample_writer = Some((self.trainer.step(), Writer::new(&self.tokenizer, "", sampling)));
        }
        if self.sample_writer.is_some() && clock() >= self.sample.not_before {
            self.write_sample(clock, messages).await?;
        }
        Ok(())
    }

    /// A few tokens of the sample; the rest comes between later chunks.
    async fn write_sample(&mut self, clock: &dyn Fn() -> f64, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.settle().await?;
        let Some((step, mut writer)) = self.sample_writer.take() else { return Ok(()) };
        let began = clock();
        while !writer.done() && clock() - began < CHUNK_SECONDS {
            writer.write(&mut self.trainer, &self.tokenizer).await?;
        }
        if writer.done() {
            messages.push((Event::Sample { run: self.id, step, text: writer.text(&self.tokenizer) }, None));
            self.sample.done(began, clock());
        } else {
            // A few tokens at a time, three times as long of training in between.
            self.sample.not_before = clock() + 3.0 * (clock() - began);
            self.sample_writer = Some((step, writer));
        }
        Ok(())
    }

    async fn write_requested(
        &mut self,
        clock: &dyn Fn() -> f64,
        messages: &mut Vec<Message>,
    ) -> Result<(), TrainError> {
        self.settle().await?;
        let Some((request, mut writer)) = self.request.take() else { return Ok(()) };
        let began = clock();
        while !writer.done() && clock() - began < CHUNK_SECONDS {
            writer.write(&mut self.trainer, &self.tokenizer).await?;
        }
        let (text, done) = (writer.text(&self.tokenizer), writer.done());
        messages.push((Event::Generated { run: self.id, request, text, done, problem: None }, None));
        if !done {
            self.request = Some((request, writer));
        }
        Ok(())
    }

    /// Waits for all steps that are under way.
    async fn settle(&mut self) -> Result<(), TrainError> {
        while self.trainer.in_flight() > 0 {
            let points = self.trainer.collect().await?;
            self.points.extend(points);
        }
        Ok(())
    }

    /// Needs everything settled, so that the maps belong to the step that they name.
    async fn show_attention(&mut self, messages: &mut Vec<Message>) -> Result<(), TrainError> {
        self.probe_changed = false;
        let bytes = self.trainer.attention(&self.probe).await?;
        let token = |&id: &u32| Token { id, text: self.tokenizer.token_text(id) };
        let model = &self.trainer.config().model;
        let event = Event::Attention {
            run: self.id,
            step: self.trainer.step(),
            tokens: self.probe.iter().map(token).collect(),
            n_layers: model.n_layers,
            n_heads: model.n_heads,
            tokens_cut: self.tokens_cut,
        };
        messages.push((event, Some(bytes)));
        Ok(())
    }

    fn progress(&mut self, validation: Vec<ValidationPoint>) -> Event {
        let points = std::mem::take(&mut self.points);
        let step = self.trainer.step() - self.trainer.in_flight() as u64;
        let step = points.last().map_or(step, |point| point.step);
        Event::Progress { run: self.id, step, points, validation, tokens_per_s: self.meter.per_second }
    }
}
