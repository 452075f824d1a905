//! The page's observer: turns what a driver reports into events, and adds attention maps and inspections.

use super::inspect::Inspecting;
use crate::config::TrainConfig;
use crate::inspect::maps::attention;
use crate::run::pace::Pace;
use crate::run::{CHUNK_SECONDS, Driver, Evaluation, Observer, Recurring, SharedClock, Steps, TaskScore};
use crate::train::lr_finder::STEPS;
use crate::train::trainer::{TrainError, TrainingState};
use crate::types::runs::LrPoint;
use crate::types::sampling::WrittenToken;
use crate::types::{RunId, StepPoint, ValidationPoint};
use crate::wire::data::DataEvent;
use crate::wire::runs::RunsEvent;
use crate::wire::workers::WorkersEvent;
use crate::wire::{Event, Message};

/// Minimum interval between two progress events, in seconds.
const PROGRESS_SECONDS: f64 = 0.1;

/// Number of a task's answers that the page shows.
const SHOWN_ANSWERS: usize = 6;

/// What the page shows of a run.
pub(in crate::serve) struct View {
    pub id: RunId,
    /// Events that have not been sent yet.
    pub messages: Vec<Message>,
    clock: SharedClock,
    /// Steps that are not part of an event yet.
    points: Vec<StepPoint>,
    step: u64,
    seconds: f64,
    tokens_per_s: f64,
    progress: Recurring,
    maps: Pace,
    /// The tokens whose attention is shown.
    pub probe: Vec<u32>,
    pub tokens_cut: usize,
    pub probe_changed: bool,
    pub inspecting: Inspecting,
}

/// Interval and maximum time share of attention maps: after every chunk of steps, about ten times per second, while the page
/// displays them, otherwise only as often as timeline snapshots need.
fn pace_of_maps(shown: bool) -> (f64, f64) {
    // Painting takes about the same time again if page and workers share the processor, and helpers wait in the meantime. The
    // factor allows for chunks that are slightly too short.
    if shown { (0.75 * CHUNK_SECONDS, 0.05) } else { (5.0, 0.02) }
}

impl View {
    pub fn new(id: RunId, inspecting: Inspecting, clock: SharedClock) -> Self {
        let (at_least_apart, share) = pace_of_maps(true);
        Self {
            id,
            messages: Vec::new(),
            clock,
            points: Vec::new(),
            step: 0,
            seconds: 0.0,
            tokens_per_s: 0.0,
            progress: Recurring::new(PROGRESS_SECONDS, 0.0),
            maps: Pace::new(at_least_apart, share),
            probe: Vec::new(),
            tokens_cut: 0,
            probe_changed: false,
            inspecting,
        }
    }

    pub fn now(&self) -> f64 {
        self.clock.now()
    }

    /// Sets whether the page displays the maps.
    pub fn set_maps_shown(&mut self, shown: bool) {
        let (at_least_apart, share) = pace_of_maps(shown);
        self.maps.change(at_least_apart, share);
        self.probe_changed |= shown;
    }

    pub fn emit(&mut self, event: Event) {
        self.messages.push((event, None));
    }

    pub fn emit_runs(&mut self, event: RunsEvent) {
        self.emit(Event::Runs { run: self.id, event });
    }

    /// Emits the steps so far with these evaluations.
    pub fn emit_progress(&mut self, validation: Vec<ValidationPoint>) {
        let points = std::mem::take(&mut self.points);
        let (run, step, tokens_per_s) = (self.id, self.step, self.tokens_per_s);
        self.emit(Event::Progress { run, step, points, validation, tokens_per_s });
    }

    /// Emits the steps that are not part of an event yet, if there are any.
    pub fn flush(&mut self) {
        if !self.points.is_empty() {
            self.emit_progress(Vec::new());
        }
    }

    /// Takes over a saved run.
    pub fn resumed(&mut self, step: u64, seconds: f64) {
        (self.step, self.seconds) = (step, seconds);
    }

    /// Emits the attention maps, and everything that is computed with them. No steps may be in flight, so that the maps match
    /// the reported step.
    pub async fn show_attention(&mut self, driver: &mut Driver) -> Result<(), TrainError> {
        self.flush();
        self.probe_changed = false;
        let began = self.now();
        let probe = (&self.probe[..], self.tokens_cut);
        let maps = attention(self.id, &mut driver.trainer, &driver.tokenizer, probe).await?;
        self.messages.push(maps);
        self.answer(driver).await?;
        self.score_heads(driver).await?;
        self.maps.looked(began, self.now());
        Ok(())
    }
}

impl Observer for View {
    fn steps(&mut self, steps: Steps<'_>) {
        self.points.extend_from_slice(steps.points);
        self.step = steps.points.last().map_or(self.step, |point| point.step);
        self.maps.trained((steps.seconds - self.seconds).max(0.0));
        (self.seconds, self.tokens_per_s) = (steps.seconds, steps.tokens_per_s);
        let now = self.now();
        if now >= self.progress.not_before && !self.points.is_empty() {
            self.emit_progress(Vec::new());
            self.progress.done(now, now);
        }
    }

    fn evaluated(&mut self, evaluation: Evaluation) {
        self.emit_progress(vec![evaluation.point]);
    }

    fn task_evaluated(&mut self, score: TaskScore<'_>) {
        let TaskScore { step, right, of, answers } = score;
        let shown = answers.iter().take(SHOWN_ANSWERS).cloned().collect();
        self.emit(Event::Data(DataEvent::Score { run: self.id, step, right, of, shown }));
    }

    fn sample_tokens(&mut self, step: u64, tokens: &[WrittenToken]) {
        let certainty = |token: &WrittenToken| {
            token.choices.iter().find(|choice| choice.id == token.id).map_or(0.0, |choice| choice.tempered)
        };
        let tokens = tokens.iter().map(|token| (token.text.clone(), certainty(token))).collect();
        self.emit(Event::SampleTokens { run: self.id, step, tokens });
    }

    fn sample(&mut self, step: u64, text: &str) {
        self.emit(Event::Sample { run: self.id, step, text: text.into() });
    }

    fn snapshot(&mut self, driver: &Driver, state: &TrainingState) {
        self.flush();
        // Errors are reported when the user saves the run explicitly.
        if let Ok(Some((about, bytes))) = driver.file(state, driver.name()) {
            let event = Event::Runs { run: self.id, event: RunsEvent::Copied { about } };
            self.messages.push((event, Some(bytes)));
        }
    }

    fn training(&mut self, on: bool) {
        self.flush();
        self.emit(Event::Training { run: self.id, on });
    }

    fn stopped(&mut self, reason: &str) {
        self.emit_runs(RunsEvent::Stopped { message: reason.into() });
    }

    fn went_back(&mut self, step: u64, train: &TrainConfig) {
        self.points.clear();
        (self.step, self.probe_changed) = (step, true);
        self.emit_runs(RunsEvent::WentBack { step, train: Box::new(train.clone()) });
    }

    fn notice(&mut self, message: &str) {
        self.emit(Event::Notice { run: self.id, message: message.into() });
    }

    fn workers(&mut self, n: usize) {
        self.emit(Event::Workers { run: self.id, event: WorkersEvent::Computing { n } });
    }

    fn lr_points(&mut self, points: &[LrPoint]) {
        self.flush();
        self.emit_runs(RunsEvent::LrPoints { points: points.to_vec(), of: STEPS });
    }

    fn lr_found(&mut self, suggestion: Option<f64>) {
        self.emit_runs(RunsEvent::LrFound { suggestion });
    }

    fn inspects_now(&self, training: bool) -> bool {
        self.probe_changed || training && self.maps.is_due(self.now())
    }

    async fn at_rest(&mut self, driver: &mut Driver) -> Result<(), TrainError> {
        self.show_attention(driver).await
    }
}
