//! The session: takes the page's commands, keeps one run, and answers with events. It knows nothing of browsers, so
//! that native tests drive the very loop that the worker drives.

use super::prepare::{built_in_bytes, encode, train_tokenizer};
use super::run::{Message, Run};
use super::trainer::{TrainError, Trainer};
use crate::config::RunConfig;
use crate::data::{decode_text, stories};
use crate::gpu::context::Context;
use crate::protocol::{BackendChoice, Command, CorpusChoice, DeviceInfo, Event, Phase, RunId, RunSummary};

/// Takes events, and the bytes that ride along, to whoever listens.
pub type Sink = Box<dyn FnMut(Event, Option<Vec<u8>>)>;

/// A file of the user's.
struct File {
    name: String,
    bytes: Vec<u8>,
}

/// The worker's side of the protocol.
pub struct Session {
    sink: Sink,
    /// Seconds, from any beginning.
    clock: Box<dyn Fn() -> f64>,
    file: Option<File>,
    run: Option<Run>,
    /// Of the latest start, also when it failed.
    run_id: RunId,
}

impl Session {
    /// A session without a run. `clock` tells seconds.
    pub fn new(sink: Sink, clock: Box<dyn Fn() -> f64>) -> Self {
        let mut session = Self { sink, clock, file: None, run: None, run_id: 0 };
        session.tell(Event::Listening);
        session
    }

    fn tell(&mut self, event: Event) {
        (self.sink)(event, None);
    }

    fn tell_all(&mut self, messages: Vec<Message>) {
        messages.into_iter().for_each(|(event, bytes)| (self.sink)(event, bytes));
    }

    /// Carries out one command; `bytes` rode along with it.
    pub async fn handle(&mut self, command: Command, bytes: Option<Vec<u8>>) {
        match command {
            Command::LoadFile { name } => self.file = Some(File { name, bytes: bytes.unwrap_or_default() }),
            Command::Start { run, config, corpus, backend, probe } => {
                (self.run, self.run_id) = (None, run);
                if let Err(message) = self.start(config, corpus, backend, &probe).await {
                    self.run = None;
                    self.tell(Event::Failed { run, message });
                }
            }
            other => self.handle_in_run(other),
        }
    }

    /// Commands that make sense only while there is a run.
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
                let problem = run.trainer().tune(&train).err();
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
            Command::StopGenerating => run.stop_generating(),
            Command::LoadFile { .. } | Command::Start { .. } => None,
        };
        if let Some(event) = answer {
            self.tell(event);
        }
    }

    /// Does one short piece of the run's work and returns whether there is more to do.
    pub async fn work(&mut self) -> bool {
        let Some(run) = &mut self.run else { return false };
        let mut messages = Vec::new();
        let result = run.work(&*self.clock, &mut messages).await;
        let run = run.id();
        self.tell_all(messages);
        match result {
            Ok(more) => more,
            Err(error @ TrainError::Diverged { step, .. }) => {
                self.tell(Event::Diverged { run, step, message: error.to_string() });
                false
            }
            Err(error) => {
                self.run = None;
                self.tell(Event::Failed { run, message: error.to_string() });
                false
            }
        }
    }

    async fn start(
        &mut self,
        mut config: RunConfig,
        corpus: CorpusChoice,
        backend: BackendChoice,
        probe: &str,
    ) -> Result<(), String> {
        let run = self.run_id;
        config.validate().map_err(|error| error.to_string())?;
        self.tell(Event::Loading { run, phase: Phase::Device });
        let context = self.open_device(backend).await?;
        self.tell(Event::Loading { run, phase: Phase::Corpus });
        let (corpus, text) = self.read_corpus(corpus, &config)?;
        self.tell(Event::Loading { run, phase: Phase::Tokenizer });
        let tokenizer = train_tokenizer(&text, &mut config).map_err(|error| error.to_string())?;
        self.tell(Event::Loading { run, phase: Phase::Encoding });
        let data = encode(&text, tokenizer, &config).map_err(|error| error.to_string())?;
        self.tell(Event::Loading { run, phase: Phase::Model });
        let (train, val) = (&data.dataset.train, &data.dataset.val);
        let trainer = Trainer::new(config, context.as_ref(), train, val).await.map_err(|error| error.to_string())?;
        let summary = RunSummary {
            config: trainer.config().clone(),
            n_params: trainer.config().model.n_params(),
            memory_bytes: trainer.memory_bytes(),
            corpus,
            corpus_bytes: text.len(),
            train_tokens: train.len(),
            val_tokens: val.len(),
            baselines: data.baselines,
        };
        let mut new_run = Run::new(run, trainer, data);
        new_run.set_probe(probe);
        let mut messages = Vec::new();
        new_run.show(&mut messages).await.map_err(|error| error.to_string())?;
        self.tell(Event::Ready { run, summary: Box::new(summary) });
        self.tell_all(messages);
        self.run = Some(new_run);
        Ok(())
    }

    /// The device to compute on; none stands for the CPU.
    async fn open_device(&mut self, choice: BackendChoice) -> Result<Option<Context>, String> {
        let run = self.run_id;
        let context = match choice {
            BackendChoice::Cpu => None,
            BackendChoice::Gpu => Some(Context::new().await.map_err(|error| error.to_string())?),
            BackendChoice::Auto => match Context::new().await {
                Ok(context) => Some(context),
                Err(error) => {
                    let message = format!("Training on the CPU, which is slower: {error}.");
                    self.tell(Event::Notice { run, message });
                    None
                }
            },
        };
        let device = match &context {
            Some(Context { adapter, .. }) => {
                DeviceInfo { name: adapter.name.clone(), backend: adapter.backend.clone(), software: adapter.software }
            }
            None => DeviceInfo { name: "CPU".into(), backend: "CPU".into(), software: false },
        };
        self.tell(Event::Device { run, device });
        Ok(context)
    }

    /// The text to train on, and where it is from.
    fn read_corpus(&self, choice: CorpusChoice, config: &RunConfig) -> Result<(String, String), String> {
        match (choice, &self.file) {
            (CorpusChoice::BuiltIn, _) => {
                let text = stories(config.train.seed, built_in_bytes(config));
                Ok(("built-in stories".into(), text))
            }
            (CorpusChoice::File, Some(file)) => {
                let text = decode_text(file.bytes.clone()).map_err(|error| format!("{}: {error}", file.name))?;
                Ok((file.name.clone(), text))
            }
            (CorpusChoice::File, None) => Err("No file was chosen; pick one, or use the built-in stories.".into()),
        }
    }
}
