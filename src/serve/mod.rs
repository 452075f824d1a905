//! The session: handles the page's commands, owns one run, and replies with events. It does not depend on a browser, so that
//! native tests run the same loop as the worker.

use std::cell::Cell;
use std::rc::Rc;

use crate::config::rules::Rules;
use crate::data::Task;
use crate::data::prepare::tokenizer_text;
use crate::gpu::pipeline::Distortion;
use crate::run::SharedClock;
use crate::run::recovery::LostDevices;
use crate::train::trainer::TrainError;
use crate::types::RunId;
use crate::types::tasks::TaskInfo;
use crate::wire::data::DataEvent;
use crate::wire::export::ExportCommand;
use crate::wire::inspect::InspectCommand;
use crate::wire::runs::RunsCommand;
use crate::wire::tokenizer::{TokenizerCommand, TokenizerEvent};
use crate::wire::{Command, Event, Message};

mod align;
mod corpus;
mod device;
mod effect;
pub mod error;
mod import;
mod kernels;
mod lesson;
mod profile;
mod queue;
mod recover;
mod resume;
mod run;
mod start;
pub mod vocabularies;
mod workers;

use align::AlignDesk;
use corpus::{File, split_files};
use device::Device;
use effect::EffectDesk;
use import::Asked;
use kernels::Kernels;
use lesson::LessonDesk;
use queue::QueueDesk;
use resume::Waiting;
use run::PageRun;
use vocabularies::Vocabularies;
use workers::Workers;

/// Receives events and their attached bytes.
pub type Sink = Box<dyn FnMut(Event, Option<Vec<u8>>)>;

/// The worker's side of the protocol.
pub struct Session {
    sink: Sink,
    /// Number of rows without text in the corpus that was read last.
    skipped_rows: Cell<u64>,
    clock: SharedClock,
    files: Vec<File>,
    /// The text field of the files' records.
    field: Option<String>,
    /// Name and `tokenizer.json` of a vocabulary for the next run.
    vocabulary: Option<(String, Vec<u8>)>,
    vocabularies: Vocabularies,
    run: Option<PageRun>,
    /// The run's device.
    device: Option<Device>,
    /// Id of the latest start, including one that failed.
    run_id: RunId,
    rules: Rules,
    /// A saved run that waits for its training text.
    waiting: Option<Waiting>,
    lesson: LessonDesk,
    align: AlignDesk,
    queue: QueueDesk,
    effect: EffectDesk,
    workers: Workers,
    kernels: Kernels,
    /// What is done to the kernels of the next devices; used by tests.
    distortion: Option<Distortion>,
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
            clock: Rc::new(clock),
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
            align: AlignDesk::default(),
            queue: QueueDesk::default(),
            effect: EffectDesk::default(),
            workers: Workers::default(),
            kernels: Kernels::default(),
            distortion: None,
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

    /// Sends the events of the run.
    fn tell_run(&mut self) {
        let messages = self.run.as_mut().map(PageRun::take_messages);
        self.tell_all(messages.unwrap_or_default());
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
            Command::Align(command) => self.handle_align(command, bytes.unwrap_or_default()).await,
            Command::Effect(command) => self.handle_effect(command, bytes.unwrap_or_default()).await,
            Command::Start { run, config, corpus, vocabulary, backend, probe } => {
                (self.run, self.run_id, self.waiting) = (None, run, None);
                if let Err(error) = self.start(config, (corpus, vocabulary), backend, &probe).await {
                    self.run = None;
                    self.tell(Event::Failed { run, message: error.to_string() });
                }
            }
            Command::Runs { command } => self.handle_runs(command, bytes).await,
            Command::Inspect { command: InspectCommand::Shown(shown) } => {
                self.maps_hidden = !shown;
                self.run.iter_mut().for_each(|run| run.view.set_maps_shown(shown));
            }
            Command::Export(command) => self.handle_export(command).await,
            Command::Workers(command) => self.handle_workers(command, bytes).await,
            Command::Queue(command) => self.handle_queue(command, bytes).await,
            Command::Profile(command) => self.handle_profile(command).await,
            Command::Kernels { memory, told } => self.kernels = Kernels { memory, told },
            other => self.handle_in_run(other),
        }
    }

    /// Handles commands about vocabularies.
    fn handle_tokenizer(&mut self, command: TokenizerCommand, bytes: Option<Vec<u8>>) {
        let mut messages = Vec::new();
        let result = match command {
            TokenizerCommand::RunVocabulary => {
                self.run.as_ref().map_or(Ok(()), |run| Ok(messages.push(run.vocabulary()?)))
            }
            TokenizerCommand::Train { vocab_size, corpus, config } => {
                self.read_corpus(corpus, &config).and_then(|(name, text)| {
                    Ok(self.vocabularies.train(tokenizer_text(&text), name, vocab_size, &mut messages)?)
                })
            }
            other => {
                let clock = self.clock.clone();
                self.vocabularies.handle(other, bytes, &move || clock.now(), &mut messages);
                Ok(())
            }
        };
        self.tell_all(messages);
        if let Err(error) = result {
            self.tell(Event::Tokenizer(TokenizerEvent::Problem { message: error.to_string() }));
        }
    }

    async fn handle_export(&mut self, command: ExportCommand) {
        let Some(run) = &mut self.run else { return };
        let result = run.export(command).await;
        self.tell_run();
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
                self.run.iter_mut().filter(|run| run.id() == id).for_each(|run| run.driver.set_name(&name));
            }
            RunsCommand::ForgetResume => self.waiting = None,
            RunsCommand::Rules(rules) => {
                self.rules = rules;
                self.run.iter_mut().for_each(|run| run.driver.set_rules(rules));
            }
            RunsCommand::Save { name } => {
                let Some(run) = &mut self.run else { return };
                let result = run.save(&name).await;
                self.tell_run();
                self.report(result.map(|()| true));
            }
            RunsCommand::Copies { every_seconds } => {
                self.copies = every_seconds;
                self.run.iter_mut().for_each(|run| run.driver.set_snapshots(every_seconds));
            }
            RunsCommand::GoOnSlower => {
                self.run.iter_mut().for_each(|run| run.driver.continue_slower(&mut run.view));
                self.tell_run();
            }
            RunsCommand::FindLr => self.run.iter_mut().for_each(|run| run.driver.find_lr()),
            RunsCommand::StopFinding => {
                let Some(run) = &mut self.run else { return };
                let result = run.driver.stop_search(&mut run.view);
                self.tell_run();
                self.report(result.map(|()| true));
            }
        }
    }

    /// Handles commands that require a run.
    fn handle_in_run(&mut self, command: Command) {
        let Some(run) = &mut self.run else { return };
        match command {
            Command::Train => run.train(),
            Command::Pause => run.driver.pause(),
            Command::Step => run.driver.step(),
            Command::Tune { train } => {
                if let Err(problem) = run.driver.tune(&train) {
                    run.view.emit(Event::Notice { run: run.id(), message: problem.to_string() });
                }
            }
            Command::Probe { text } => run.set_probe(&text),
            Command::Generate { request, prompt, sampling } => run.generate(request, &prompt, sampling),
            Command::Inspect { command } => run.inspect(command),
            Command::StopGenerating => run.stop_generating(),
            // Handled without a run.
            _ => (),
        }
        self.tell_run();
    }

    /// Does one short unit of the run's work and returns whether there is more.
    pub async fn work(&mut self) -> bool {
        let mut messages = Vec::new();
        let clock = self.clock.clone();
        let merging = self.vocabularies.work(&move || clock.now(), &mut messages);
        self.tell_all(messages);
        let lesson = self.work_on_lesson().await;
        let align = self.work_on_alignment().await;
        let queue = self.work_on_queue().await;
        let effect = self.work_on_effect().await;
        self.work_on_run().await || merging || lesson || align || queue || effect
    }

    async fn work_on_run(&mut self) -> bool {
        self.recover().await;
        self.trace_divergence().await;
        let Some(run) = &mut self.run else { return false };
        let result = run.work().await;
        self.tell_run();
        let more = self.report(result);
        self.trace_divergence().await;
        more
    }

    /// Reports an error, if any; returns whether there is more work.
    fn report(&mut self, result: Result<bool, TrainError>) -> bool {
        let run = self.run.as_ref().map_or(self.run_id, PageRun::id);
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
}
