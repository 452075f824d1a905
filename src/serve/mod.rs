//! The session: handles the page's commands, owns one run, and replies with events. It does not depend on a browser, so that
//! native tests run the same loop as the worker.

use std::cell::Cell;
use std::rc::Rc;

use crate::config::RunConfig;
use crate::config::rules::Rules;
use crate::data::Task;
use crate::data::prepare::{PreparedData, encode, tokenizer_text, train_tokenizer};
use crate::inspect::initial_maps::initial_maps;
use crate::run::lost_devices::LostDevices;
use crate::run::record::fingerprint;
use crate::run::{Clock, Run};
use crate::train::trainer::{TrainError, Trainer};
use crate::types::runs::CorpusRecord;
use crate::types::tasks::TaskInfo;
use crate::types::{BackendChoice, CorpusChoice, Phase, RunId, RunSummary, VocabularyChoice};
use crate::wire::data::DataEvent;
use crate::wire::export::ExportCommand;
use crate::wire::inspect::InspectCommand;
use crate::wire::runs::RunsCommand;
use crate::wire::tokenizer::{TokenizerCommand, TokenizerEvent};
use crate::wire::{Command, Event, Message};

mod corpus;
mod device;
mod import;
mod kernels;
mod lesson;
mod profile;
mod recover;
mod resume;
pub mod vocabularies;
mod workers;

use corpus::{File, scoring, split_files};
use device::{Device, check_room, keep_or_open};
use import::Asked;
use kernels::Kernels;
use lesson::LessonDesk;
use resume::Waiting;
use vocabularies::Vocabularies;
use workers::Workers;

/// Receives events and their attached bytes.
pub type Sink = Box<dyn FnMut(Event, Option<Vec<u8>>)>;

/// The worker's side of the protocol.
pub struct Session {
    sink: Sink,
    /// Number of rows without text in the corpus that was read last.
    skipped_rows: Cell<u64>,
    clock: Clock,
    files: Vec<File>,
    /// The text field of the files' records.
    field: Option<String>,
    /// Name and `tokenizer.json` of a vocabulary for the next run.
    vocabulary: Option<(String, Vec<u8>)>,
    vocabularies: Vocabularies,
    run: Option<Run>,
    /// The run's device.
    device: Option<Device>,
    /// Id of the latest start, including one that failed.
    run_id: RunId,
    rules: Rules,
    /// A saved run that waits for its training text.
    waiting: Option<Waiting>,
    lesson: LessonDesk,
    workers: Workers,
    kernels: Kernels,
    /// The step that was not applied and the error message, until they are reported to the page.
    diverged: Option<(u64, String)>,
    lost_devices: LostDevices,
    /// Interval between reported snapshots, in seconds.
    copies: Option<u32>,
    /// Whether the page does not display the maps.
    maps_hidden: bool,
}

impl Session {
    /// Creates a session without a run. `clock` returns seconds.
    pub fn new(sink: Sink, clock: Box<dyn Fn() -> f64>) -> Self {
        let mut session = Self {
            sink,
            skipped_rows: Cell::new(0),
            clock: Rc::from(clock),
            files: Vec::new(),
            field: None,
            vocabulary: None,
            vocabularies: Vocabularies::default(),
            run: None,
            device: None,
            run_id: 0,
            rules: Rules::default(),
            waiting: None,
            lesson: LessonDesk::default(),
            workers: Workers::default(),
            kernels: Kernels::default(),
            diverged: None,
            lost_devices: LostDevices::default(),
            copies: None,
            maps_hidden: false,
        };
        session.tell(Event::Listening);
        let info = |task: Task| TaskInfo {
            name: task.name().into(),
            description: task.describe().into(),
            probe: task.probe().trim_end().into(),
        };
        session.tell(Event::Data(DataEvent::Tasks { tasks: Task::ALL.map(info).into() }));
        session
    }

    fn tell(&mut self, event: Event) {
        (self.sink)(event, None);
    }

    fn tell_all(&mut self, messages: Vec<Message>) {
        messages.into_iter().for_each(|(event, bytes)| (self.sink)(event, bytes));
    }

    /// Handles one command with its attached `bytes`.
    pub async fn handle(&mut self, command: Command, bytes: Option<Vec<u8>>) {
        match command {
            Command::LoadFiles { files } => {
                self.load_files(split_files(files, bytes.unwrap_or_default()));
                self.resume_waiting().await;
            }
            Command::LoadVocabulary { name } => self.vocabulary = bytes.map(|bytes| (name, bytes)),
            Command::Data(command) => self.handle_data(command, bytes.unwrap_or_default()),
            Command::Tokenizer(command) => self.handle_tokenizer(command, bytes),
            Command::Lesson(command) => self.answer_lesson(command).await,
            Command::Start { run, config, corpus, vocabulary, backend, probe } => {
                (self.run, self.run_id, self.waiting) = (None, run, None);
                if let Err(message) = self.start(config, (corpus, vocabulary), backend, &probe).await {
                    self.run = None;
                    self.tell(Event::Failed { run, message });
                }
            }
            Command::Runs { command } => self.handle_runs(command, bytes).await,
            Command::Inspect { command: InspectCommand::Shown(shown) } => {
                self.maps_hidden = !shown;
                self.run.iter_mut().for_each(|run| run.set_maps_shown(shown));
            }
            Command::Export(command) => self.handle_export(command).await,
            Command::Workers(command) => self.handle_workers(command, bytes).await,
            Command::Profile(command) => self.handle_profile(command).await,
            Command::Kernels { memory, told } => self.kernels = Kernels { memory, told },
            other => self.handle_in_run(other),
        }
    }

    /// Handles commands about vocabularies.
    fn handle_tokenizer(&mut self, command: TokenizerCommand, bytes: Option<Vec<u8>>) {
        let mut messages = Vec::new();
        let result = match command {
            TokenizerCommand::RunVocabulary => self.run.as_ref().map_or(Ok(()), |run| run.vocabulary(&mut messages)),
            TokenizerCommand::Train { vocab_size, corpus, config } => {
                self.read_corpus(corpus, &config).and_then(|(name, text)| {
                    self.vocabularies.train(tokenizer_text(&text), name, vocab_size, &mut messages)
                })
            }
            other => {
                self.vocabularies.handle(other, bytes, &*self.clock, &mut messages);
                Ok(())
            }
        };
        self.tell_all(messages);
        if let Err(message) = result {
            self.tell(Event::Tokenizer(TokenizerEvent::Problem { message }));
        }
    }

    async fn handle_export(&mut self, command: ExportCommand) {
        let Some(run) = &mut self.run else { return };
        let mut messages = Vec::new();
        let result = run.export(command, &mut messages).await;
        self.tell_all(messages);
        self.report(result.map(|()| true));
    }

    async fn handle_runs(&mut self, command: RunsCommand, bytes: Option<Vec<u8>>) {
        match command {
            RunsCommand::Resume { run, backend, probe } => {
                self.resume(Waiting { run, backend, probe, bytes: bytes.unwrap_or_default() }, false).await;
            }
            RunsCommand::Import { run, backend, probe, name, corpus, files } => {
                let files = split_files(files, bytes.unwrap_or_default()).into_iter().map(File::into_named).collect();
                self.import(Asked { run, backend, probe, name, corpus, files }).await;
            }
            RunsCommand::Name { run: id, name } => {
                self.run.iter_mut().filter(|run| run.id() == id).for_each(|run| run.set_name(&name));
            }
            RunsCommand::ForgetResume => self.waiting = None,
            RunsCommand::Rules(rules) => {
                self.rules = rules;
                self.run.iter_mut().for_each(|run| run.set_rules(rules));
            }
            RunsCommand::Save { name } => {
                let Some(run) = &mut self.run else { return };
                let mut messages = Vec::new();
                let result = run.save(&name, &mut messages).await;
                self.tell_all(messages);
                self.report(result.map(|()| true));
            }
            RunsCommand::Copies { every_seconds } => {
                self.copies = every_seconds;
                self.run.iter_mut().for_each(|run| run.set_copies(every_seconds));
            }
            RunsCommand::GoOnSlower => {
                let mut messages = Vec::new();
                self.run.iter_mut().for_each(|run| run.go_on_slower(&mut messages));
                self.tell_all(messages);
            }
            RunsCommand::FindLr => self.run.iter_mut().for_each(Run::find_lr),
            RunsCommand::StopFinding => {
                let Some(run) = &mut self.run else { return };
                match run.stop_finding() {
                    Ok(event) => event.into_iter().for_each(|event| self.tell(event)),
                    Err(error) => drop(self.report(Err(error))),
                }
            }
        }
    }

    /// Handles commands that require a run.
    fn handle_in_run(&mut self, command: Command) {
        let Some(run) = &mut self.run else { return };
        let answer = match command {
            Command::Train => Some(run.train()),
            Command::Pause => {
                run.pause();
                None
            }
            Command::Step => {
                run.step();
                None
            }
            Command::Tune { train } => {
                let problem = run.tune(&train).err();
                problem.map(|problem| Event::Notice { run: run.id(), message: problem.to_string() })
            }
            Command::Probe { text } => {
                run.set_probe(&text);
                None
            }
            Command::Generate { request, prompt, sampling } => {
                run.generate(request, &prompt, sampling);
                None
            }
            Command::Inspect { command } => {
                run.inspect(command);
                None
            }
            Command::StopGenerating => run.stop_generating(),
            Command::LoadFiles { .. } | Command::LoadVocabulary { .. } | Command::Start { .. } => None,
            Command::Kernels { .. } => None,
            Command::Tokenizer(_) | Command::Data(_) | Command::Lesson(_) => None,
            Command::Runs { .. } | Command::Export(_) | Command::Workers(_) | Command::Profile(_) => None,
        };
        if let Some(event) = answer {
            self.tell(event);
        }
    }

    /// Does one short unit of the run's work and returns whether there is more.
    pub async fn work(&mut self) -> bool {
        let mut messages = Vec::new();
        let merging = self.vocabularies.work(&*self.clock, &mut messages);
        self.tell_all(messages);
        let lesson = self.work_on_lesson().await;
        self.work_on_run().await || merging || lesson
    }

    async fn work_on_run(&mut self) -> bool {
        self.recover().await;
        self.trace_divergence().await;
        let Some(run) = &mut self.run else { return false };
        let mut messages = Vec::new();
        let result = run.work(&mut messages).await;
        self.tell_all(messages);
        let more = self.report(result);
        self.trace_divergence().await;
        more
    }

    /// Reports an error, if any; returns whether there is more work.
    fn report(&mut self, result: Result<bool, TrainError>) -> bool {
        let run = self.run.as_ref().map_or(self.run_id, Run::id);
        match result {
            Ok(more) => return more,
            Err(error @ TrainError::Diverged { step, .. }) => {
                // Reported by the next unit of work, after it has located the origin.
                self.diverged = Some((step, error.to_string()));
                return true;
            }
            Err(error @ TrainError::NoRoom { .. }) => {
                self.tell(Event::Training { run, on: false });
                let message = format!(
                    "{error}. The model is still there: it can be looked at, and it writes; the native program has more \
                     memory."
                );
                self.tell(Event::Notice { run, message });
            }
            Err(TrainError::Execute(error)) if self.run.is_some() && error.needs_another_device() => {
                self.lost(error);
                return true;
            }
            Err(error) => {
                self.run = None;
                self.tell(Event::Failed { run, message: error.to_string() });
            }
        }
        false
    }

    async fn start(
        &mut self,
        mut config: RunConfig,
        (corpus, vocabulary): (CorpusChoice, VocabularyChoice),
        backend: BackendChoice,
        probe: &str,
    ) -> Result<(), String> {
        (self.lost_devices, self.diverged) = (LostDevices::default(), None);
        let run = self.run_id;
        config.validate().map_err(|error| error.to_string())?;
        self.tell(Event::Loading { run, phase: Phase::Device });
        let mut device = keep_or_open(self.device.take(), backend).await?;
        self.tell_device(run, &device);
        check_room(&config, &device)?;
        if let Some(context) = &device.context {
            // Invalid overrides are reported when kernels are chosen.
            drop(self.recall_kernels(context));
            Trainer::compile_ahead(&config, context).map_err(|error| error.to_string())?;
        }
        self.tell(Event::Loading { run, phase: Phase::Corpus });
        let asked = config.clone();
        let (name, text) = self.read_corpus(corpus, &config)?;
        self.report_skipped(run);
        self.tell(Event::Loading { run, phase: Phase::Tokenizer });
        let tokenizer = match vocabulary {
            VocabularyChoice::Trained => train_tokenizer(&text, &mut config).map_err(|error| error.to_string())?,
            VocabularyChoice::Loaded => self.loaded_tokenizer(&mut config)?,
        };
        let maps = initial_maps(run, &config, &tokenizer, probe).await.map_err(|error| error.to_string())?;
        self.tell_all(maps.into_iter().collect());
        self.tell(Event::Loading { run, phase: Phase::Encoding });
        let data = encode(&text, tokenizer, &config).map_err(|error| error.to_string())?;
        self.tell(Event::Loading { run, phase: Phase::Model });
        let vocabulary = match vocabulary {
            VocabularyChoice::Trained => None,
            VocabularyChoice::Loaded => self.vocabulary.as_ref().map(|(name, _)| name.clone()),
        };
        let (choice, field, fingerprint) = (corpus, self.field.clone(), fingerprint(&text));
        let corpus = CorpusRecord { choice, name, field, vocabulary, fingerprint, asked };
        let (mut new_run, summary) = self.build(run, config, &mut device, data, corpus, text.len()).await?;
        new_run.set_probe(probe);
        let mut messages = Vec::new();
        new_run.show(&mut messages).await.map_err(|error| error.to_string())?;
        self.tell(Event::Ready { run, summary: Box::new(summary) });
        self.tell_all(messages);
        (self.run, self.device) = (Some(new_run), Some(device));
        self.share_run().await;
        Ok(())
    }

    /// Creates a run with initial weights and reports it to the page.
    async fn build(
        &mut self,
        id: RunId,
        config: RunConfig,
        device: &mut Device,
        data: PreparedData,
        corpus: CorpusRecord,
        corpus_bytes: usize,
    ) -> Result<(Run, RunSummary), String> {
        let (train, val) = (&data.dataset.train, &data.dataset.val);
        let slower = self.choose_kernels(&config, device).await?;
        if !slower.is_empty() {
            let message = format!("Slower than it could be: {}.", slower.join("; "));
            self.tell(Event::Notice { run: id, message });
        }
        let trainer = Trainer::new(config, device.context.as_ref(), train, val).await;
        let trainer = trainer.map_err(|error| error.to_string())?;
        let summary = RunSummary {
            config: trainer.config().clone(),
            n_params: trainer.config().model.n_params(),
            memory_bytes: trainer.memory_bytes(),
            corpus: corpus.name.clone(),
            corpus_bytes,
            train_tokens: train.len(),
            val_tokens: val.len(),
            baselines: data.baselines,
        };
        let mut run = Run::new(id, trainer, data, self.clock.clone());
        run.set_scoring(scoring(corpus.choice, &run.config())?);
        run.set_corpus(corpus);
        run.set_rules(self.rules);
        run.set_copies(self.copies);
        run.set_maps_shown(!self.maps_hidden);
        Ok((run, summary))
    }
}
