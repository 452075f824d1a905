//! Trains queued runs next to the run that the page shows. The page keeps the queue; this holds the run that it sent, its text,
//! and a device of its own, with which the next run continues.

use std::collections::HashMap;
use std::rc::Rc;

use super::Session;
use super::device::{Device, check_room, keep_or_open};
use super::error::ServeError;
use crate::config::RunConfig;
use crate::data::prepare::{encode, train_tokenizer};
use crate::data::{Dataset, Tokenizer};
use crate::inspect::maps::{attention, cut_probe};
use crate::run::record::fingerprint;
use crate::run::{Driver, Evaluation, Observer, Policy, Recurring, StagedRun, Steps};
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::{Trainer, TrainingState};
use crate::types::queue::{Progress, QueueEnd, QueueText, QueuedRun};
use crate::types::runs::CorpusRecord;
use crate::types::{BackendChoice, CorpusChoice, RunId, StepPoint, ValidationPoint};
use crate::wire::Event;
use crate::wire::queue::{QueueCommand, QueueEvent};

/// Seconds between checkpoints; shorter runs have only the final one.
const SAVE_SECONDS: f64 = 5.0;

/// Minimum interval between two reports of steps, in seconds.
const REPORT_SECONDS: f64 = 0.2;

/// Seconds of one measurement of a model's speed, and how many there are; the fastest counts, because other work only slows a
/// device down.
const MEASURED_SECONDS: f64 = 0.12;
const MEASUREMENTS: usize = 3;

/// A learning rate that cannot diverge within a measurement.
const MEASURED_LR: f64 = 1e-4;

/// Maximum number of models in one measurement.
const MAX_MEASURED: usize = 200;

/// The queue's part of a session.
#[derive(Default)]
pub(super) struct QueueDesk {
    current: Option<Current>,
    device: Option<Device>,
    /// The text that was prepared last; runs of a sweep share it.
    text: Option<Text>,
    stored: HashMap<String, String>,
    /// Models to be measured, in reverse order, and the backend.
    to_measure: (Vec<RunConfig>, Option<BackendChoice>),
}

/// The run that is being trained.
struct Current {
    id: String,
    run: StagedRun,
    max_seconds: Option<f64>,
    report: Report,
}

/// A prepared text.
struct Text {
    key: (QueueText, usize, usize),
    tokenizer: Rc<Tokenizer>,
    dataset: Dataset,
    record: CorpusRecord,
    /// Mean length of a held-out token in bytes.
    bytes_per_token: f64,
}

/// What a run has reported since the last event.
struct Report {
    points: Vec<StepPoint>,
    validation: Vec<ValidationPoint>,
    went_back: Option<u64>,
    /// A checkpoint: steps done, and its file.
    saved: Option<(u64, Vec<u8>)>,
    messages: Vec<String>,
    pace: Recurring,
}

impl Observer for Report {
    fn steps(&mut self, steps: Steps<'_>) {
        self.points.extend_from_slice(steps.points);
    }

    fn evaluated(&mut self, evaluation: Evaluation) {
        self.validation.push(evaluation.point);
    }

    fn snapshot(&mut self, driver: &Driver, state: &TrainingState) {
        match driver.file(state, driver.name()) {
            Ok(file) => self.saved = file.map(|(_, bytes)| (state.step, bytes)),
            Err(error) => self.messages.push(format!("{} could not be saved: {error}.", driver.name())),
        }
    }

    fn went_back(&mut self, step: u64, _train: &crate::config::TrainConfig) {
        self.points.retain(|point| point.step <= step);
        self.validation.retain(|point| point.step <= step);
        self.went_back = Some(step);
    }

    fn notice(&mut self, message: &str) {
        self.messages.push(message.into());
    }
}

impl Session {
    /// Handles a command about queued runs.
    pub(super) async fn handle_queue(&mut self, command: QueueCommand, bytes: Option<Vec<u8>>) {
        match command {
            QueueCommand::Text { name } => {
                let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
                self.queue.stored.insert(name, text);
            }
            QueueCommand::Run { run, progress } => {
                self.queue.current = None;
                let id = run.id.clone();
                if let Err(error) = self.begin_queued(*run, progress, bytes).await {
                    self.end_queued(id, QueueEnd::Failed { message: error.to_string() }, Progress::default());
                }
            }
            QueueCommand::Stop => {
                self.queue.to_measure.0.clear();
                self.stop_queued().await;
            }
            QueueCommand::Measure { mut configs, backend } => {
                configs.truncate(MAX_MEASURED);
                configs.reverse();
                self.queue.to_measure = (configs, Some(backend));
            }
            QueueCommand::Maps { id, sentence } => self.map_queued(id, &sentence, &bytes.unwrap_or_default()).await,
        }
    }

    async fn begin_queued(
        &mut self,
        run: QueuedRun,
        progress: Progress,
        file: Option<Vec<u8>>,
    ) -> Result<(), ServeError> {
        if let Some(problem) = run.problem() {
            return Err(ServeError::QueuedRun { problem });
        }
        let mut config = run.config.clone();
        self.prepare_text(&run.text, &mut config)?;
        let trainer = self.queued_trainer(config, run.backend, run.unique_tokens).await?;
        let Some(Text { tokenizer, record, bytes_per_token, .. }) = &self.queue.text else {
            return Err(ServeError::NoText);
        };
        let policy = Policy { keep_snapshot: false, ..Policy::unattended(SAVE_SECONDS) };
        let mut driver = Driver::new(trainer, tokenizer.clone(), policy, self.clock.clone());
        driver.set_corpus(record.clone());
        driver.set_name(&run.name);
        // A checkpoint of another model, or a damaged one: the run starts again.
        let saved = file.and_then(|file| {
            let checkpoint = Checkpoint::from_bytes(&file).ok()?;
            (checkpoint.config.model == driver.config().model).then_some(())?;
            Some((checkpoint.state, crate::run::record::read(&file)?.history))
        });
        let reached = if saved.is_some() { progress.reached } else { Vec::new() };
        let progress = Progress { reached, seconds: progress.seconds, bytes_per_token: Some(*bytes_per_token) };
        let step = saved.as_ref().map_or(0, |(state, _)| state.step);
        if let Some((state, history)) = saved {
            let seconds = history.seconds();
            driver.resume(state, history, seconds);
        }
        let device = self.queue.device.as_ref().map_or_else(String::new, |device| device.info.name.clone());
        self.tell(Event::Queue(QueueEvent::Began { id: run.id.clone(), step, device }));
        let report = Report {
            points: Vec::new(),
            validation: Vec::new(),
            went_back: None,
            saved: None,
            messages: Vec::new(),
            pace: Recurring::new(REPORT_SECONDS, 0.0),
        };
        let staged = StagedRun::new(driver, run.ends, run.evaluate_every, progress);
        self.queue.current = Some(Current { id: run.id, run: staged, max_seconds: run.max_seconds, report });
        Ok(())
    }

    /// Makes the run's text the prepared one, and sets the vocabulary size of `config` to that of its tokenizer.
    fn prepare_text(&mut self, text: &QueueText, config: &mut RunConfig) -> Result<(), ServeError> {
        let key = (text.clone(), config.model.vocab_size, config.model.context_length);
        if let Some(known) = self.queue.text.as_ref().filter(|known| known.key == key) {
            config.model.vocab_size = known.tokenizer.vocab_size();
            return Ok(());
        }
        let stored = |name: &String| {
            let found = self.queue.stored.get(name).cloned();
            found.ok_or_else(|| ServeError::NeedsText { name: name.clone() })
        };
        let (choice, asked, (name, content), held_out) = match text {
            QueueText::Corpus { choice, asked } => {
                (*choice, (**asked).clone(), self.read_corpus(*choice, asked)?, None)
            }
            QueueText::Stored { name, held_out } => {
                let held_out = held_out.as_ref().map(stored).transpose()?;
                (CorpusChoice::File, config.clone(), (name.clone(), stored(name)?), held_out)
            }
        };
        let tokenizer = train_tokenizer(&content, config)?;
        let record =
            CorpusRecord { choice, name, field: None, vocabulary: None, fingerprint: fingerprint(&content), asked };
        let mut data = encode(&content, tokenizer, config)?;
        if let Some(held_out) = held_out {
            let Dataset { mut train, val } =
                Dataset::new(&data.tokenizer, &held_out, config.model.context_length).map_err(ServeError::HeldOut)?;
            train.extend(val);
            data.dataset.val = train;
        }
        let (tokenizer, dataset) = (Rc::new(data.tokenizer), data.dataset);
        let bytes: usize = dataset.val.iter().map(|&id| tokenizer.token_bytes(id).len()).sum();
        let bytes_per_token = bytes as f64 / dataset.val.len().max(1) as f64;
        self.queue.text = Some(Text { key, tokenizer, dataset, record, bytes_per_token });
        Ok(())
    }

    /// A trainer on the queue's device for the text that was prepared last, or for measurements without one.
    async fn queued_trainer(
        &mut self,
        config: RunConfig,
        backend: BackendChoice,
        unique: Option<usize>,
    ) -> Result<Trainer, ServeError> {
        let mut device = keep_or_open(self.queue.device.take(), backend).await?;
        check_room(&config, &device)?;
        let text = self.queue.text.take();
        let own = vec![0; config.model.context_length + 1];
        let only = Dataset { train: own.clone(), val: own };
        let fits = text.as_ref().filter(|text| text.tokenizer.vocab_size() == config.model.vocab_size);
        let dataset = fits.map_or(&only, |text| &text.dataset);
        let repeated = unique.map(|unique| Dataset {
            train: dataset.train[..unique.clamp(config.model.context_length + 1, dataset.train.len())].to_vec(),
            val: dataset.val.clone(),
        });
        let made = self.trainer(self.run_id, config, &mut device, repeated.as_ref().unwrap_or(dataset)).await;
        (self.queue.text, self.queue.device) = (text, Some(device));
        made
    }

    /// Does one short unit of work of the queue; returns whether there is more.
    pub(super) async fn work_on_queue(&mut self) -> bool {
        if let Some(config) = self.queue.to_measure.0.pop() {
            self.measure_queued(config).await;
            return true;
        }
        let Some(Current { id, mut run, max_seconds, mut report }) = self.queue.current.take() else { return false };
        let worked = run.work(&mut report).await;
        let overtime = max_seconds.is_some_and(|max| run.progress.seconds > max);
        let end = match worked {
            Ok(Some(end)) => Some(end),
            Ok(None) => overtime.then_some(QueueEnd::Overtime),
            Err(error) => {
                // The next run opens a device again.
                self.queue.device = None;
                Some(QueueEnd::Failed { message: format!("{error}.") })
            }
        };
        let now = self.clock.now();
        self.report_queued(&id, &run.progress, &mut report, end.is_some(), now);
        match end {
            Some(end) => self.end_queued(id, end, run.progress),
            None => self.queue.current = Some(Current { id, run, max_seconds, report }),
        }
        true
    }

    fn report_queued(&mut self, id: &str, progress: &Progress, report: &mut Report, last: bool, now: f64) {
        let run: RunId = self.run_id;
        for message in report.messages.drain(..) {
            self.tell(Event::Notice { run, message });
        }
        if let Some(step) = report.went_back.take() {
            self.tell(Event::Queue(QueueEvent::WentBack { id: id.into(), step }));
        }
        let due = last || report.saved.is_some() || now >= report.pace.not_before;
        if due && !(report.points.is_empty() && report.validation.is_empty()) {
            report.pace.done(now, now);
            let (points, validation) = (std::mem::take(&mut report.points), std::mem::take(&mut report.validation));
            let seconds = progress.seconds;
            self.tell(Event::Queue(QueueEvent::Steps { id: id.into(), points, validation, seconds }));
        }
        if let Some((step, bytes)) = report.saved.take() {
            let event = QueueEvent::Saved { id: id.into(), step, progress: progress.clone() };
            (self.sink)(Event::Queue(event), Some(bytes));
        }
    }

    fn end_queued(&mut self, id: String, end: QueueEnd, progress: Progress) {
        self.tell(Event::Queue(QueueEvent::Ended { id, end, progress }));
    }

    /// Saves and stops the current run.
    async fn stop_queued(&mut self) {
        let Some(Current { id, mut run, mut report, .. }) = self.queue.current.take() else { return };
        if run.can_be_saved() {
            // A run that cannot be saved continues from its last checkpoint.
            drop(run.driver.save(&mut report).await);
        }
        let now = self.clock.now();
        self.report_queued(&id, &run.progress, &mut report, true, now);
        self.tell(Event::Queue(QueueEvent::Stopped { id, progress: run.progress }));
    }

    async fn measure_queued(&mut self, config: RunConfig) {
        let backend = self.queue.to_measure.1.unwrap_or(BackendChoice::Auto);
        let measured = self.tokens_per_s(config.clone(), backend).await;
        let (tokens_per_s, problem) = match measured {
            Ok(speed) => (Some(speed), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.tell(Event::Queue(QueueEvent::Measured { config: Box::new(config), tokens_per_s, problem }));
    }

    async fn tokens_per_s(&mut self, mut config: RunConfig, backend: BackendChoice) -> Result<f64, ServeError> {
        config.validate()?;
        (config.train.max_lr, config.train.min_lr) = (MEASURED_LR, MEASURED_LR);
        let tokens_per_step = config.tokens_per_step() as f64;
        let mut trainer = self.queued_trainer(config, backend, None).await?;
        // The first steps allocate memory and compile kernels.
        for _ in 0..2 {
            trainer.submit(1);
            trainer.collect().await?;
        }
        let mut fastest: f64 = 0.0;
        for _ in 0..MEASUREMENTS {
            let (began, mut steps) = (self.clock.now(), 0);
            while steps == 0 || self.clock.now() - began < MEASURED_SECONDS {
                trainer.submit(4);
                steps += trainer.collect().await?.len();
            }
            fastest = fastest.max(steps as f64 * tokens_per_step / (self.clock.now() - began).max(1e-6));
        }
        Ok(fastest)
    }

    /// Computes the attention maps of a stored model on the CPU.
    async fn map_queued(&mut self, id: String, sentence: &str, file: &[u8]) {
        let (event, bytes) = match maps_of(&id, sentence, file).await {
            Ok((event, bytes)) => (event, Some(bytes)),
            Err(error) => {
                let problem = Some(error.to_string());
                let event = QueueEvent::Maps { id, tokens: Vec::new(), n_layers: 0, n_heads: 0, problem };
                (event, None)
            }
        };
        (self.sink)(Event::Queue(event), bytes);
    }
}

async fn maps_of(id: &str, sentence: &str, file: &[u8]) -> Result<(QueueEvent, Vec<u8>), ServeError> {
    let Checkpoint { mut config, tokenizer, state } = Checkpoint::from_bytes(file)?;
    (config.train.batch_size, config.train.accumulation_steps) = (1, 1);
    let (probe, cut) = cut_probe(&tokenizer, sentence, config.model.context_length);
    let text = vec![0; config.model.context_length + 1];
    let mut trainer = Trainer::new(config, None, &text, &text).await?;
    trainer.restore(&state);
    match attention(0, &mut trainer, &tokenizer, (&probe, cut)).await? {
        (Event::Attention { tokens, n_layers, n_heads, .. }, Some(bytes)) => {
            Ok((QueueEvent::Maps { id: id.into(), tokens, n_layers, n_heads, problem: None }, bytes))
        }
        _ => Err(ServeError::NoMaps),
    }
}
