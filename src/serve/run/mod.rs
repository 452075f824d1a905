//! One run of the page: its driver, and everything the page shows of it.

use crate::config::EVALUATION_TOKENS;
use crate::data::DataError;
use crate::data::prepare::PreparedData;
use crate::inspect::maps::{cut_probe, tokens};
use crate::run::{CHUNK_SECONDS, Driver, Policy, SharedClock};
use crate::train::generate::writer::Writer;
use crate::train::trainer::{TrainError, Trainer, TrainingState};
use crate::types::{History, RunId, Sampling, Token};
use crate::wire::inspect::InspectCommand;
use crate::wire::runs::RunsEvent;
use crate::wire::tokenizer::TokenizerEvent;
use crate::wire::{Event, Message};

mod export;
mod inspect;
mod profile;
mod view;

use inspect::Inspecting;
pub(super) use view::View;

/// Maximum number of operations of the initial evaluation of an imported model: a few seconds on a slow device.
const MAX_FLOPS_AT_FIRST: f64 = 1e11;

/// A model in training with everything the page shows of it.
pub(super) struct PageRun {
    pub driver: Driver,
    pub view: View,
    request: Option<(u32, Writer)>,
}

impl PageRun {
    /// Creates a paused run at step 0.
    pub fn new(id: RunId, trainer: Trainer, data: PreparedData, clock: SharedClock) -> Self {
        let inspecting = Inspecting::new(&data.dataset.train, trainer.config().model.context_length);
        let view = View::new(id, inspecting, clock.clone());
        Self::from_parts(Driver::new(trainer, data.tokenizer, Policy::interactive(), clock), view)
    }

    pub fn from_parts(driver: Driver, view: View) -> Self {
        Self { driver, view, request: None }
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.view.id
    }

    /// The events that have not been sent yet.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.view.messages)
    }

    /// Emits the vocabulary as `tokenizer.json`.
    ///
    /// # Errors
    /// If it cannot be serialized.
    pub fn vocabulary(&self) -> Result<Message, DataError> {
        let json = self.driver.tokenizer.to_json()?;
        Ok((Event::Tokenizer(TokenizerEvent::RunVocabulary { run: self.id() }), Some(json.into_bytes())))
    }

    /// Changes the probe text, whose attention is shown.
    pub fn set_probe(&mut self, text: &str) {
        let most = self.driver.trainer.config().model.context_length;
        let view = &mut self.view;
        (view.probe, view.tokens_cut) = cut_probe(&self.driver.tokenizer, text, most);
        view.probe_changed = true;
    }

    /// Handles an inspection command; replies follow with the next unit of work.
    pub fn inspect(&mut self, command: InspectCommand) {
        match command {
            InspectCommand::Shown(shown) => self.view.set_maps_shown(shown),
            other => self.view.inspecting.set(other),
        }
    }

    /// Trains until paused or until a rule stops the run, which may be immediately.
    pub fn train(&mut self) {
        self.driver.train(&mut self.view);
    }

    /// Resumes from a saved state.
    pub fn resume(&mut self, state: TrainingState, history: History) {
        let seconds = history.seconds();
        self.view.resumed(state.step, seconds);
        self.driver.resume(state, history, seconds);
    }

    /// Generates a continuation of a prompt; an older request is dropped.
    pub fn generate(&mut self, request: u32, prompt: &str, sampling: Sampling) {
        self.request = Some((request, Writer::new(&self.driver.tokenizer, prompt, sampling)));
    }

    /// Stops generating, and emits the last event of the request.
    pub fn stop_generating(&mut self) {
        if let Some((request, writer)) = self.request.take() {
            self.emit_generated(request, writer, true);
        }
    }

    /// Emits the text so far; returns the writer.
    fn emit_generated(&mut self, request: u32, mut writer: Writer, done: bool) -> Writer {
        let tokenizer = &self.driver.tokenizer;
        let (text, tokens) = (writer.text(tokenizer), writer.written(tokenizer));
        self.view.emit(Event::Generated { run: self.view.id, request, text, tokens, done, problem: None });
        writer
    }

    async fn write_requested(&mut self) -> Result<(), TrainError> {
        self.driver.settle(&mut self.view).await?;
        let Some((request, mut writer)) = self.request.take() else { return Ok(()) };
        let began = self.view.now();
        while !writer.done() && self.view.now() - began < CHUNK_SECONDS {
            writer.write(&mut self.driver.trainer).await?;
        }
        let done = writer.done();
        let writer = self.emit_generated(request, writer, done);
        self.request = (!done).then_some((request, writer));
        Ok(())
    }

    /// Does one short unit of work, a tenth of a second or one step, and returns whether there is more.
    ///
    /// # Errors
    /// If the device failed or the run diverged; the run is then paused.
    pub async fn work(&mut self) -> Result<bool, TrainError> {
        let result = self.work_or_fail().await;
        if result.is_err() {
            self.request = None;
        }
        if !self.driver.is_training() {
            self.view.flush();
        }
        result
    }

    async fn work_or_fail(&mut self) -> Result<bool, TrainError> {
        if self.request.is_some() && !self.driver.is_searching() {
            self.write_requested().await?;
        }
        if self.view.inspecting.changed && !self.driver.is_searching() {
            self.driver.settle(&mut self.view).await?;
            self.view.answer(&mut self.driver).await?;
        }
        Ok(self.driver.work(&mut self.view).await? || self.request.is_some())
    }

    /// Evaluates the current model and emits its attention maps.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn show(&mut self) -> Result<(), TrainError> {
        self.driver.settle(&mut self.view).await?;
        self.driver.evaluate(&mut self.view).await?;
        self.view.show_attention(&mut self.driver).await
    }

    /// The same for an imported model; an evaluation that takes long is postponed until the model is trained.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn show_first(&mut self) -> Result<(), TrainError> {
        let flops = 2.0 * self.driver.config().model.n_params() as f64 * EVALUATION_TOKENS as f64;
        if flops <= MAX_FLOPS_AT_FIRST {
            return self.show().await;
        }
        self.view.emit_progress(Vec::new());
        self.view.show_attention(&mut self.driver).await
    }

    /// Emits the run as one file.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn save(&mut self, name: &str) -> Result<(), TrainError> {
        let run = self.id();
        if !self.driver.has_room_for_file() {
            let message = "There is not enough memory left to save this run; nothing is lost, and it can train on. A smaller \
                           batch_size leaves more.";
            self.view.emit(Event::Notice { run, message: message.into() });
            return Ok(());
        }
        let state = self.driver.whole_state(true, &mut self.view).await?;
        self.view.flush();
        match self.driver.file(&state, name) {
            Ok(Some((about, bytes))) => {
                self.view.messages.push((Event::Runs { run, event: RunsEvent::Saved { about } }, Some(bytes)));
            }
            Ok(None) => (),
            Err(error) => {
                let message = format!("The run could not be saved: {error}.");
                self.view.emit(Event::Notice { run, message });
            }
        }
        Ok(())
    }

    /// The tokens of the probe.
    fn probe_tokens(&self) -> Vec<Token> {
        tokens(&self.driver.tokenizer, &self.view.probe)
    }
}
